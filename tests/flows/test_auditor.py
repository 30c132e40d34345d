"""An auditor: who did what, filtered, in full and as a file; sees every key, changes none."""

import csv
import io
import json

from playwright.sync_api import expect

from tests.flows.steps import mint, sign_in
from tests.services.browser import NewPage


def test_the_trail_is_filtered_read_and_exported(url: str, new_page: NewPage) -> None:
    erin, ada = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(ada, url, "ada")
    secret = mint(erin, url, "seen by the auditor")
    ada.goto(f"{url}/people/audit")
    ada.locator("[name=event]").fill("key:mint")
    ada.get_by_label("Search the trail").fill("seen by the auditor")
    ada.get_by_role("button", name="Apply").click()
    ada.wait_for_url(lambda address: "event=key" in address and "auditor" in address)
    events = ada.get_by_role("table", name="Events")
    expect(events.locator("tbody tr")).to_have_count(1)
    expect(events).to_contain_text("Erin Example")
    address = ada.url
    exported = ada.request.get(address.replace("/people/audit?", "/people/audit/export?")).text()
    [row] = csv.DictReader(io.StringIO(exported))
    assert row["event"].endswith("key:mint") and row["target_label"] == "seen by the auditor"
    lines = ada.request.get(address.replace("/people/audit?", "/people/audit/export?") + "&format=jsonl").text()
    [event] = map(json.loads, lines.splitlines())
    assert event["id"] == row["id"]
    events.locator("tbody a").first.click()
    expect(ada.get_by_role("table", name="What changed")).to_contain_text("seen by the auditor")
    assert secret not in exported + lines + ada.content()


def test_looking_at_the_trail_is_possible_changing_things_is_not(url: str, new_page: NewPage) -> None:
    erin, ada = new_page(), new_page()
    sign_in(erin, url, "erin")
    sign_in(ada, url, "ada")
    mint(erin, url, "not yours")
    ada.goto(f"{url}/keys?whose=all&q=not+yours")
    ada.get_by_role("link", name="not yours").first.click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("not yours")
    expect(ada.locator("main").get_by_role("link", name="Revoke")).to_have_count(0)
    for path in ("/catalog/providers", "/people/users/new", "/inbox", "/spend/limits/new"):
        answer = ada.goto(f"{url}{path}")
        assert answer is not None and answer.status == 403, path
        expect(ada.get_by_role("heading", level=1)).to_have_text("This page is not open to you")


def test_the_trail_is_for_auditors_alone(url: str, new_page: NewPage) -> None:
    for persona in ("erin", "lea", "finn", "pia"):
        page = new_page()
        sign_in(page, url, persona)
        answer = page.goto(f"{url}/people/audit")
        assert answer is not None and answer.status == 403
        expect(page.locator("main")).to_contain_text("auditors")
