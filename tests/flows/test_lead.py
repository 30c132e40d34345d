"""A team lead: what the team spends, who belongs to it, which keys it has."""

from playwright.sync_api import Page, expect

from tests.flows.steps import call, mint, seconds_until, send, sign_in
from tests.services.browser import NewPage


def test_the_lead_sees_what_the_team_spends_and_by_whom(url: str, new_page: NewPage) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    call(url, mint(erin, url, "team spend"))

    def spent() -> bool:
        lea.goto(f"{url}/spend/team?period=month&group=user")
        return lea.get_by_role("table", name="Where it went").get_by_text("Erin Example").count() > 0

    seconds_until(spent, 10)
    limits = lea.get_by_role("table", name="Limits")
    expect(limits).to_contain_text("$50.00 per month")
    expect(limits).to_contain_text("600 requests per minute")
    lea.get_by_role("table", name="Where it went").get_by_role("link", name="Erin Example").click()
    assert "user=" in lea.url


def test_the_lead_adds_and_removes_a_member(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "lea")
    page.goto(f"{url}/people/teams")
    page.locator("main").get_by_role("link", name="Search", exact=True).click()
    page.get_by_role("link", name="Add somebody").click()
    page.get_by_label("E-mail").fill("nobody@example.com")
    send(page)
    expect(page.locator("form [aria-invalid=true]")).to_be_visible()  # whom Atrium does not know, a lead cannot add
    page.get_by_label("E-mail").fill("yuki@example.com")
    send(page)
    row = page.get_by_role("table", name="Members of the team").get_by_role("row").filter(has_text="Yuki Yamada")
    row.get_by_role("link", name="Remove").click()
    send_dialog(page)
    expect(row).to_have_count(0)


def send_dialog(page: Page) -> None:
    page.get_by_role("dialog").locator("button[type=submit]").click()


def test_the_lead_sees_the_keys_of_the_team_and_revokes_one_at_once(url: str, new_page: NewPage) -> None:
    erin, lea = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(lea, url, "lea")
    secret = mint(erin, url, "lost laptop")
    assert call(url, secret).status == 200
    lea.goto(f"{url}/keys?q=lost+laptop&whose=all")
    lea.get_by_role("link", name="lost laptop").first.click()
    assert secret not in lea.content()
    lea.get_by_role("link", name="Revoke").first.click()
    send_dialog(lea)
    assert seconds_until(lambda: call(url, secret).status == 401, 5) <= 1.0


def test_another_teams_pages_are_not_there_for_the_lead(url: str, new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, url, "lea")
    answer = page.goto(f"{url}/spend/team?team=payments")
    assert answer is not None and answer.status == 404
    answer = page.goto(f"{url}/spend/")
    assert answer is not None and answer.status == 403
    expect(page.get_by_role("heading", level=1)).to_have_text("This page is not open to you")
    expect(page.locator("main")).to_contain_text("finance")
