"""A platform admin: a provider, a model, a price and a team later, everybody calls it; wrong entries get words."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.flows.steps import call, mint, seconds_until, send, sign_in
from tests.services.browser import NewPage
from tests.upstream.server import FakeUpstream

SECRET = "sk-made-up-for-the-admin"
LIVE_WITHIN_S = 1.0


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"main form [name={name}]").fill(value)


def test_a_provider_a_model_and_a_price_are_live_within_a_second(
    url: str, new_page: NewPage, record_property: Callable[[str, object], None]
) -> None:
    erin, pia = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(pia, url, "pia")
    secret = mint(erin, url, "waiting for acme")
    with FakeUpstream(key=SECRET) as upstream:
        add_provider(pia, url, upstream.url)
        pia.get_by_role("button", name="Test connection").click()
        expect(pia.locator("main")).to_contain_text("Acme: It works")
        pia.goto(f"{url}/catalog/manage/add")
        fill(pia, slug="acme-one", display_name="Acme One", context_tokens="8000", max_output_tokens="500")
        pia.locator("[name=capabilities][value=chat]").check()
        pia.locator("[name=at-0-provider]").select_option(label="Acme")
        pia.locator("[name=at-0-upstream_model]").fill("one")
        send(pia)
        expect(pia.get_by_role("heading", level=1)).to_have_text("Add a price")
        fill(pia, input="1.50", output="6")
        send(pia)
        expect(pia.locator("main")).to_contain_text("The price is added")
        assert call(url, secret, "acme-one").status == 403
        pia.goto(f"{url}/catalog/manage?q=acme-one")
        pia.get_by_role("link", name="Acme One").first.click()
        pia.get_by_label("Team").fill("search")
        pia.get_by_role("button", name="Let a team use it").click()
        expect(pia.locator("main")).to_contain_text("may use Acme One")
        live = seconds_until(lambda: call(url, secret, "acme-one").status == 200, 10)
        print(f"an admin's change is live after {live:.2f} s")  # noqa: T201 - a promised figure
        record_property("admin_change_live_after_s", round(live, 2))
        assert live <= LIVE_WITHIN_S
        erin.goto(f"{url}/catalog/models?q=acme")
        expect(erin.get_by_role("row").filter(has_text="Acme One")).to_contain_text("Yours")
        expect(erin.get_by_role("row").filter(has_text="Acme One")).to_contain_text("$1.50")
        assert SECRET not in pia.content()

        pia.get_by_role("button", name="Take away from Search").click()
        expect(pia.locator("main")).to_contain_text("may no longer use")
        assert seconds_until(lambda: call(url, secret, "acme-one").status == 403, 5) <= LIVE_WITHIN_S


def add_provider(page: Page, url: str, address: str) -> None:
    page.goto(f"{url}/catalog/providers/add?known=other")
    fill(page, slug="acme", name="Acme", base_url=address)
    page.get_by_label("Runs inside the company").check()
    fill(page, value=SECRET)
    send(page)
    expect(page.locator("main")).to_contain_text("Acme is added")


def test_wrong_entries_get_words_and_change_nothing(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "pia")
    page.goto(f"{url}/catalog/providers/add?known=other")
    fill(page, slug="metadata", name="Metadata", base_url="http://169.254.169.254/v1", value="x")
    send(page)
    expect(page.locator("#errors, .at-errors, [role=alert]").first).to_be_visible()
    assert "/providers/add" in page.url

    page.goto(f"{url}/catalog/manage/add")
    fill(page, slug="demo-chat", display_name="Twice", context_tokens="8000", max_output_tokens="500")
    page.locator("[name=capabilities][value=chat]").check()
    send(page)
    expect(page.locator("main form")).to_contain_text("This id is taken. Choose another.")
    assert "/manage/add" in page.url


def test_a_price_of_the_past_or_of_nothing_is_refused(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "pia")
    page.goto(f"{url}/catalog/manage?q=demo-embed")
    page.get_by_role("link", name="Demo embeddings").first.click()
    page.get_by_role("link", name="Prices").click()
    page.get_by_role("link", name="Add a price").first.click()
    for entry in (
        {"input": "-1", "output": "1"},
        {"input": "cheap", "output": "1"},
        {"input": "1" * 25, "output": "1"},
    ):
        fill(page, **entry)
        send(page)
        expect(page.locator("main form [aria-invalid=true]").first).to_be_visible()
    fill(page, input="1", output="1", effective_from="2020-01-01T00:00")
    send(page)
    expect(page.locator("main")).to_contain_text("A price begins now or later")


def test_a_teams_limits_and_people_are_at_hand(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "pia")
    page.goto(f"{url}/people/teams/new")
    fill(page, slug="newest", name="Newest team")
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Newest team")
    page.goto(f"{url}/people/users?q=erin")
    page.locator("main").get_by_role("link", name="Erin Example").click()
    expect(page.locator("main")).to_contain_text("Search")
