"""Every page, as whom it is for: accessible in both themes, whole on a phone, quiet in the console, there without scripts."""

import csv
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from django.urls import resolve
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.flows.steps import sign_in
from tests.screenshots.pages import PAGES, make_traffic
from tests.services.atrium import ROOT

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
FIND = """async (rules) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...(rules && {runOnly: rules})});
  return found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target).join(" | ")}`);
}"""
# What the look of the other theme can change.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SETTLED_WITHIN_MS = 3_000
ANSWERS = {"refused-page": 403, "not-found": 404}

ROUTES = Path(__file__).parents[1] / "portal/people/route_matrix.csv"
# Routes that answer GET, but with no page of their own.
NO_PAGE = {
    "billing-model-health": "a piece of a page", "keys-key-live": "a piece of a page", "keys-notice-open": "leads on",
    "billing-spend-csv": "a file", "billing-usage-csv": "a file", "people-audit-export": "a file",
    "openid_connect_login": "leads to the identity provider", "openid_connect_callback": "leads on",
    "people-application-edit": "the demo has no application; its form is tested in tests/portal/keys/test_data_floors.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def ids(browser: Browser, url: str) -> dict[str, str]:
    return make_traffic(browser, url)


def test_the_list_of_pages_is_whole() -> None:
    listed = {
        resolve(re.sub(r"\{\w+\}", "x", path).partition("?")[0]).url_name
        for name, path in [item for pages in PAGES.values() for item in pages.items()]
        if ANSWERS.get(name) != 404
    }
    with ROUTES.open(encoding="utf-8") as file:
        routes = {row["route"] for row in csv.DictReader(file) if "page" in row.values() or "hidden" in row.values()}
    pages = {route for route in routes if route == "api-docs" or not route.startswith("api-")} - NO_PAGE.keys()
    assert pages - listed == set()


@pytest.mark.parametrize("persona", PAGES)
def test_every_page_is_as_a_page_should_be(browser: Browser, url: str, ids: dict[str, str], persona: str) -> None:
    complaints = [f"{name}: {complaint}" for name, complaint in walk(browser, url, ids, persona)]
    assert not complaints, "\n".join(complaints)


def walk(browser: Browser, url: str, ids: dict[str, str], persona: str) -> Iterator[tuple[str, str]]:
    """Open each page of a persona; yield what is wrong with it."""
    context = browser.new_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    context.add_init_script(AXE)  # the policy refuses a script element
    page = context.new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "the server responded with a status of" not in message.text:
            said.append(f"console: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    try:
        if persona != "stranger":
            sign_in(page, url, persona)
        for name, path in PAGES[persona].items():
            address = url + path.format_map(ids)
            yield from ((name, wrong) for wrong in looked_at(page, address, ANSWERS.get(name, 200)))
            yield from ((name, wrong) for wrong in said)
            said.clear()
    finally:
        context.close()


def looked_at(page: Page, address: str, status: int) -> Iterator[str]:
    answer = page.goto(address)
    if answer is None or answer.status != status:
        yield f"answers {answer and answer.status}, not {status}"
        return
    if " · Atrium" not in page.title() or page.title().startswith(" "):
        yield f"its title is {page.title()!r}"
    headings, mains = page.locator("h1").all_inner_texts(), page.locator("main").count()
    if len(headings) != 1 or mains != 1:
        yield f"has {len(headings)} main headings and {mains} main parts"
    dead = page.locator("a[href=''], a[href='None'], a:not([href]), form[action='None']").count()
    if dead:
        yield f"{dead} links lead nowhere"
    yield from page.evaluate(FIND, None)
    page.emulate_media(color_scheme="dark")
    yield from (f"dark: {wrong}" for wrong in page.evaluate(FIND, OF_COLOUR))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if not fits(page):
        yield f"is {page.evaluate('document.documentElement.scrollWidth')} px wide on a phone"
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    plain = page.request.get(address)
    found = re.search(r"<h1[^>]*>(.*?)</h1>", plain.text(), re.S)
    words = " ".join(unescape(re.sub(r"<[^>]+>", "", found[1])).split()) if found else ""
    if plain.status != status or [words] != [" ".join(heading.split()) for heading in headings]:
        yield f"without scripts: {plain.status}, {words!r}"


def fits(page: Page) -> bool:
    """Say whether nothing scrolls sideways, once charts, which follow a moment later, have followed."""
    for _ in range(SETTLED_WITHIN_MS // 100):
        if page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            return True
        page.wait_for_timeout(100)
    return False
