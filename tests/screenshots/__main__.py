"""Drives Chromium through every page as each persona and saves PNGs; three of them are the README's pictures."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.flows.steps import sign_in
from tests.screenshots.pages import PAGES, make_traffic
from tests.services import session
from tests.services.atrium import ROOT, Atrium
from tests.services.browser import ARGUMENTS, MISSING, find_chromium

WIDTHS = {"wide": 1440, "narrow": 390}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

README = {("erin", "models"): "models.png", ("erin", "request-new"): "request.png", ("finn", "spend"): "spend.png"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser. Exits with a sentence when there is none."""
    path = find_chromium()
    if path is None:
        sys.exit(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def shoot(page: Page, address: str, path: Path) -> None:
    """Open a page and save it whole."""
    page.goto(address, wait_until="networkidle")
    page.screenshot(path=path, full_page=True)


def main() -> None:
    """Parse arguments, start an Atrium, and walk through it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=ROOT / "var" / "screenshots")
    arguments.add_argument("--url", help="walk through this running demo instead of starting one")
    arguments.add_argument("--only", choices=PAGES, help="one persona alone")
    chosen = arguments.parse_args()
    session.begin()
    server = None if chosen.url else Atrium(Path(tempfile.mkdtemp(prefix="atrium-screens-"))).start()
    try:
        with chromium() as browser:
            url = chosen.url or (server.base_url if server else "")
            ids = make_traffic(browser, url)
            wanted = [chosen.only] if chosen.only else list(PAGES)
            count = sum(walk(browser, url, persona, chosen.out, ids) for persona in wanted)
    finally:
        if server:
            server.stop()
        session.end()
    print(f"{count} pictures in {chosen.out}; README's are in docs/img")  # noqa: T201 - a script says what it did


def walk(browser: Browser, url: str, persona: str, out: Path, ids: dict[str, str]) -> int:
    """Save every page of one persona; returns how many pictures."""
    made = 0
    folder = out / persona
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        for name_of_width, width in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=theme,
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.set_default_timeout(15_000)
            if persona != "stranger":
                sign_in(page, url, persona)
            for name, path in PAGES[persona].items():
                shoot(page, url + path.format_map(ids), folder / f"{name}-{name_of_width}-{theme}.png")
                made += 1
                if (theme, name_of_width) == ("light", "wide") and (persona, name) in README:
                    (ROOT / "docs" / "img").mkdir(exist_ok=True)
                    page.screenshot(path=ROOT / "docs" / "img" / README[persona, name])
            context.close()
    return made


if __name__ == "__main__":
    main()
