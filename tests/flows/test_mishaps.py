"""What happens to people: they click twice, go back, come back too late, sign in elsewhere, and paste anything."""

import contextlib

from playwright.sync_api import Error, expect

from tests.flows.steps import heading, mint, revealed, send, sign_in
from tests.services.browser import NewPage

# The second click comes while the first is on its way.
TWICE = """(words) => {
  const button = [...document.querySelectorAll("main button")].find((one) => one.innerText.includes(words));
  button.click();
  setTimeout(() => button.click(), 40);
}"""


def test_clicking_twice_mints_one_key_and_shows_its_secret(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    page.goto(f"{url}/keys/new")
    page.get_by_label("Name").fill("clicked twice")
    page.evaluate(TWICE, "Mint key")
    assert revealed(page).startswith("atp_")
    page.goto(f"{url}/keys?q=clicked+twice")
    expect(page.get_by_role("table", name="Keys").locator("tbody tr")).to_have_count(1)


def test_clicking_twice_sends_one_request(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    page.goto(f"{url}/requests/new?kind=model&model=demo-chat-large")
    page.locator("[name=reason]").fill("Clicked twice.")
    page.evaluate(TWICE, "Send request")
    expect(page.get_by_text("Your request is on its way").first).to_be_visible()
    page.goto(f"{url}/requests")
    expect(page.get_by_role("row").filter(has_text="Demo chat large")).to_have_count(1)


def test_going_back_does_not_bring_a_secret_back(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    secret = mint(page, url, "gone for good")
    page.get_by_role("link", name="I have copied it").click()
    assert heading(page) == "gone for good"
    with contextlib.suppress(Error):  # the browser has kept nothing, and says so on a page of its own
        page.go_back()
    expect(page.get_by_role("heading", name="gone for good")).to_have_count(0)
    expect(page.get_by_role("heading", name="Your key is ready")).to_have_count(0)
    expect(page.locator("html")).not_to_contain_text(secret)


def test_a_session_that_ended_leads_to_the_door_and_back(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    page.goto(f"{url}/keys/new?model=demo-chat")
    page.get_by_label("Name").fill("too late")
    page.context.clear_cookies(name="atrium_session")
    page.get_by_role("button", name="Mint key").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your way in")
    page.locator("form:has(input[name=persona][value=erin]) button").click()
    assert heading(page) == "Mint a key"
    page.goto(f"{url}/keys?q=too+late")
    expect(page.get_by_role("link", name="too late")).to_have_count(0)


def test_a_form_of_somebody_who_left_is_refused_in_words(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    page.goto(f"{url}/keys/new")
    page.get_by_label("Name").fill("whose is it")
    other = page.context.new_page()
    other.goto(url)
    other.locator(".at-side").get_by_role("button", name="Sign out").click()
    sign_in(other, url, "lea")
    page.get_by_role("button", name="Mint key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This form was open for too long")
    other.goto(f"{url}/keys?q=whose+is+it")
    expect(other.get_by_role("link", name="whose is it")).to_have_count(0)


def test_what_people_paste_stays_text(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "erin")
    name = "<b>bold</b> '; DROP TABLE keys;-- \N{GRINNING FACE}"
    mint(page, url, name)
    page.get_by_role("link", name="I have copied it").click()
    assert heading(page) == name
    expect(page.locator("main b")).to_have_count(0)
    page.goto(f"{url}/keys/new")
    for field, value in {"name": "fine", "usd_month": "-5", "requests_minute": "many"}.items():
        page.locator(f"[name={field}]").fill(value)
    send(page)
    expect(page.locator("main form [aria-invalid=true]")).to_have_count(2)
    assert page.locator("[name=requests_minute]").input_value() == "many"
