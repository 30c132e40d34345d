"""Every page that links lead to, as every persona: axe finds nothing in either theme, and a phone scrolls one way only."""

import re
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import Resolver404, resolve
from playwright.sync_api import Page

from tests.flows.steps import call, mint, sign_in
from tests.services.atrium import ROOT, Atrium
from tests.services.browser import NewPage

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PERSONAS = ("erin", "lea", "finn", "pia", "ada")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
NOT_PAGES = re.compile(r"^/(static|v1|accounts)/|^/api/(?!docs)|\.csv$|/export$")
FINDINGS = """() => axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(
  v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', ')))"""

STICKING_OUT = """() => [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth)
  .slice(0, 3).map(e => e.tagName + '.' + e.className)"""


@pytest.fixture(scope="module")
def lived_in(server: Atrium, browser: Any) -> str:
    """The address of an Atrium where somebody minted, called and asked."""
    url = f"http://localhost:{server.port}"
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, url, "erin")
    secret = mint(page, url, "every page")
    call(url, secret)
    page.goto(f"{url}/requests/new?kind=model&model=demo-chat-large")
    page.locator("[name=reason]").fill("To see this page.")
    page.locator("main form button[type=submit]").last.click()
    context.close()
    return url


def route_of(path: str) -> str:
    try:
        return resolve(urlsplit(path).path).url_name or path
    except Resolver404:
        return path


def links_on(page: Page) -> list[str]:
    here = page.url
    found = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    whole = [urlsplit(urljoin(here, href)) for href in found]
    return [part._replace(fragment="").geturl() for part in whole if part.netloc == urlsplit(here).netloc]


def complaints_about(page: Page) -> list[str]:
    """Look at the page wide and light, then narrow and dark."""
    page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe_source()})
    found = []
    for scheme, size in (("light", DESK), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found += [f"{scheme}: {finding}" for finding in page.evaluate(FINDINGS)]
        if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            found.append(f"{scheme}: wider than {size['width']}: {page.evaluate(STICKING_OUT)}")
    return found


def axe_source() -> str:
    return Path(AXE).read_text(encoding="utf-8")


def test_every_page_that_links_lead_to(lived_in: str, new_page: NewPage) -> None:
    visited: set[str] = set()
    complaints: dict[str, list[str]] = {}
    for persona in PERSONAS:
        page = new_page(viewport=DESK, color_scheme="light")
        sign_in(page, lived_in, persona)
        waiting, seen = deque([f"{lived_in}/", *links_on(page)]), set[str]()
        while waiting:
            address = waiting.popleft()
            path = urlsplit(address).path
            route = route_of(path)
            if route in seen or NOT_PAGES.search(path):
                continue
            seen.add(route)
            page.set_viewport_size(DESK)  # type: ignore[arg-type]
            answer = page.goto(address)
            assert answer is not None
            if answer.status == 403 or "text/html" not in answer.headers.get("content-type", ""):
                continue
            if answer.status != 200:
                complaints[path] = [f"answered {answer.status} to {persona}"]
                continue
            waiting.extend(links_on(page))
            if route not in visited and (found := complaints_about(page)):
                complaints[f"{path} ({persona})"] = found
            visited.add(route)
    assert complaints == {}
    assert len(visited) > 45, sorted(visited)


@pytest.mark.parametrize("path", ["/accounts/login/", "/no/such/page"])
def test_pages_for_strangers(lived_in: str, new_page: NewPage, path: str) -> None:
    page = new_page(viewport=DESK, color_scheme="light")
    page.goto(f"{lived_in}{path}")
    assert complaints_about(page) == []
