"""The portal at size: `python -m benchmarks.portal [--part 20]` (`make bench ARGS=--portal`).

Fills a PostgreSQL with 500,000 keys and 10 million calls (`--part 20`: a twentieth of it), starts the portal service on
one core, and asks for the main pages of each persona: p50 and p95 of the time to a whole page, in milliseconds.
"""

import argparse
import http.client
import re
import shutil
import sys
import time
import urllib.parse
from collections.abc import Mapping

from benchmarks.gateways.atrium import Portal
from benchmarks.load import quantile
from benchmarks.portal_fill import DISK_BYTES_A_EVENT, Size, fill, rows
from benchmarks.processes import LOAD_CORE, on_core
from benchmarks.world import World

PAGES: Mapping[str, tuple[str, ...]] = {
    "erin": ("/", "/catalog/models", "/keys", "/keys/new", "/requests", "/spend/mine", "/spend/requests"),
    "lea": ("/", "/inbox", "/spend/team", "/people/teams", "/keys?whose=all", "/spend/limits", "/spend/requests"),
    "finn": ("/", "/spend/", "/spend/?group=model", "/spend/?group=key", "/spend/limits", "/spend/requests"),
    "pia": ("/", "/catalog/manage", "/catalog/providers", "/people/users", "/people/users?q=person4", "/people/teams"),
    "ada": ("/", "/people/audit", "/people/audit?q=key", "/keys?whose=all", "/keys?whose=all&q=key+77", "/spend/"),
}
TIMES = 20


class Browser:
    """Somebody signed in, over one connection."""

    def __init__(self, port: int, persona: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._cookies: dict[str, str] = {}
        page = self.get("/accounts/login/")[1].decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        form = {"persona": persona, "csrfmiddlewaretoken": token[1] if token else ""}
        status = self._ask("POST", "/accounts/persona/", urllib.parse.urlencode(form))[0]
        if status != 302:
            raise RuntimeError(f"{persona} cannot sign in: {status}")

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self._cookies[cookie] = content
        return answer.status, answer.read()


def measure(port: int, times: int) -> None:
    """Print a markdown table of each persona's pages."""
    print("| persona | page | p50 ms | p95 ms | first ms | KB |\n|---|---|---:|---:|---:|---:|")
    slowest = 0.0
    for persona, paths in PAGES.items():
        browser = Browser(port, persona)
        for path in paths:
            taken, size = ask(browser, path, times)
            later = taken[1:] or taken
            slowest = max(slowest, quantile(later, 0.95))
            middle, late = quantile(later, 0.5), quantile(later, 0.95)
            print(
                f"| {persona} | `{path}` | {middle:.0f} | {late:.0f} | {taken[0]:.0f} | {size / 1000:.0f} |", flush=True
            )
    print(f"\nSlowest p95: {slowest:.0f} ms.")


def ask(browser: Browser, path: str, times: int) -> tuple[list[float], int]:
    """Return how long (ms) each of up to `times` + 1 answers took, the first one first, and the page's size.

    Raises RuntimeError for an answer that is no page. Stops after half a minute: it is clear by then.
    """
    taken = list[float]()
    while len(taken) <= times and sum(taken) < 30_000:
        began = time.perf_counter()
        status, body = browser.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise RuntimeError(f"{path} answers {status}")
    return taken, len(body)


def main(arguments: list[str]) -> int:
    """Fill, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, default=1, help="a fraction of the full size: 20 is a twentieth")
    parser.add_argument("--times", type=int, default=TIMES)
    given = parser.parse_args(arguments)
    size = Size(Size.keys // given.part, Size.events // given.part)
    with World() as world:
        free = shutil.disk_usage(world.site.folder).free
        if free < 3 * size.events * DISK_BYTES_A_EVENT:
            parser.error(
                f"it needs {3 * size.events * DISK_BYTES_A_EVENT / 1e9:.0f} GB of disk, {free / 1e9:.0f} are free"
            )
        portal = Portal(world.site, world.stores)
        world.prepared(portal)
        began = time.monotonic()
        fill(portal.database_url, size)
        there = ", ".join(f"{count:,} {name}" for name, count in rows(portal.database_url).items())
        print(f"{there}; filled in {time.monotonic() - began:.0f} s", flush=True)
        with on_core(LOAD_CORE):
            portal.start()
            measure(portal.port, given.times)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
