"""An employee, new here: from the door to the first call and its trace; with a mouse, without scripts, by keyboard alone."""

import json
import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.flows.steps import heading, revealed, run, seconds_until, sign_in
from tests.services.browser import NewPage

MOST_CLICKS, MOST_SECONDS = 4, 60
ON_THE_PAGE_WITHIN_S = 5


def curl_snippet(page: Page) -> str:
    """Read the curl snippet of the page, which is the first that it shows."""
    return page.locator(".at-tab pre").first.inner_text()


def arrived(page: Page) -> None:
    """Wait until the panel on the page turns green."""
    panel = page.locator(".at-live.is-seen .at-live-title")
    expect(panel).to_have_text("We saw your first call", timeout=ON_THE_PAGE_WITHIN_S * 1000)


def total_calls(page: Page, url: str) -> int:
    page.goto(f"{url}/spend/requests?period=month")
    requests = page.locator("#results p strong")
    return int(requests.first.inner_text().replace(",", "")) if requests.count() else 0


def test_the_first_call_takes_a_minute_and_four_clicks(
    url: str, new_page: NewPage, record_property: Callable[[str, object], None]
) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    clicks = 0

    def click(role: str, name: str) -> None:
        nonlocal clicks
        page.locator("main").get_by_role(role, name=name).first.click()  # type: ignore[arg-type]
        clicks += 1

    page.goto(f"{url}/accounts/login/")
    began = time.monotonic()
    click("button", "Employee")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello, Erin")
    click("link", "Mint a")  # the front page leads to it
    click("button", "Mint key")
    secret = revealed(page)
    copy = page.locator(".at-tab:visible [data-copy-target]")
    expect(copy).to_be_visible()
    copy.click()
    clicks += 1
    snippet = page.evaluate("navigator.clipboard.readText()")
    assert secret in snippet
    done = run(snippet)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]
    seconds = time.monotonic() - began
    print(f"first call after {clicks} clicks and {seconds:.1f} s")  # noqa: T201 - a promised figure
    record_property("clicks", clicks)
    record_property("seconds_to_first_call", round(seconds, 1))
    assert clicks <= MOST_CLICKS
    assert seconds <= MOST_SECONDS

    arrived(page)
    row = page.get_by_role("table", name="Where it went").get_by_role("row")
    row = row.filter(has=page.get_by_text("Demo chat", exact=True))

    def shown() -> bool:
        page.goto(f"{url}/spend/mine")
        return row.count() == 1

    seconds_until(shown, ON_THE_PAGE_WITHIN_S)
    page.goto(f"{url}/")
    expect(page.get_by_text("You are set up")).to_be_visible()


def test_the_whole_way_works_without_scripts(url: str, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    sign_in(page, url, "erin")
    before = total_calls(page, url)
    page.goto(f"{url}/catalog/models/demo-chat")
    page.locator("main").get_by_role("link", name="Mint a key").first.click()
    page.get_by_label("Name").fill("no scripts")
    page.get_by_role("button", name="Mint key").click()
    secret = revealed(page)
    snippet = curl_snippet(page)
    assert secret in snippet
    assert run(snippet).returncode == 0
    seconds_until(lambda: total_calls(page, url) == before + 1, ON_THE_PAGE_WITHIN_S)
    page.goto(f"{url}/keys")
    page.get_by_role("link", name="no scripts").first.click()
    assert heading(page) == "no scripts"
    assert secret not in page.content()


def test_the_whole_way_works_by_keyboard_alone(url: str, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{url}/accounts/login/")
    press(page, "Employee")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello, Erin")
    press(page, "Mint a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mint a key")
    tab_to(page, lambda: page.evaluate("document.activeElement.name") == "name")
    page.keyboard.press("Control+A")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    snippet = curl_snippet(page) if revealed(page) else ""
    assert run(snippet).returncode == 0
    arrived(page)
    press(page, "I have copied it")
    expect(page.get_by_role("heading", level=1)).to_have_text("by keyboard")


def press(page: Page, words: str) -> None:
    """Tab to what carries the words within the page's own part, and press Enter."""
    focused = "document.activeElement.closest('main') && document.activeElement.innerText"
    tab_to(page, lambda: words in str(page.evaluate(focused)))
    page.keyboard.press("Enter")
    page.wait_for_load_state()


def tab_to(page: Page, reached: Callable[[], bool]) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if reached():
            return
    raise AssertionError("80 tabs lead nowhere")
