"""The browser that tests drive: it starts, it reaches this machine only, and each page is a stranger to the others."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error

from tests.services.browser import NewPage


class Quiet(http.server.BaseHTTPRequestHandler):
    """One page, with a policy that forbids its inline script."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "script-src 'self'")
        self.send_header("Set-Cookie", "seen=yes")
        self.end_headers()
        self.wfile.write(f"<title>{self.headers.get('Cookie', 'nobody')}</title>".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """The address of that page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_pages_share_nothing(new_page: NewPage, address: str) -> None:
    first, second = new_page(), new_page(color_scheme="dark", java_script_enabled=False)
    first.goto(address)
    first.goto(address)
    assert first.title() == "seen=yes"
    second.goto(address)
    assert second.title() == "nobody"


def test_nothing_outside_this_machine_can_be_reached(new_page: NewPage) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        new_page().goto("http://example.com/")
