"""What every story does: sign in, mint, call, read what was answered."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Page, expect


def sign_in(page: Page, base_url: str, persona: str) -> None:
    """Sign in as one of the demo's people, with one click."""
    page.goto(f"{base_url}/accounts/login/")
    page.locator(f"form:has(input[name=persona][value={persona}]) button").click()
    expect(page.locator("main")).to_be_visible()


def mint(page: Page, base_url: str, name: str, **fields: str) -> str:
    """Mint a key as the form comes, but for its name and `fields`; returns the secret as the page shows it."""
    page.goto(f"{base_url}/keys/new")
    for field, value in {"name": name, **fields}.items():
        page.locator(f"[name={field}]").fill(value)
    send(page)
    return revealed(page)


def send(page: Page) -> None:
    """Press the button of the page's own form."""
    page.locator("main form[method=post] button:not([type=button])").last.click()


def revealed(page: Page) -> str:
    """Read the secret from the page that shows it once."""
    secret = page.locator("#secret")
    expect(secret).to_be_visible()
    text = secret.text_content() or ""
    return text.strip()


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def dollars(text: str) -> float:
    """Read an amount as pages show it, such as $1,234.50 or $0.00019."""
    found = re.search(r"\$([\d,]+(?:\.\d+)?)", text)
    assert found, f"no amount in {text!r}"
    return float(found.group(1).replace(",", ""))


def run(snippet: str) -> subprocess.CompletedProcess[str]:
    """Run a snippet in a shell, as somebody who pasted it."""
    return subprocess.run(["bash", "-c", snippet], capture_output=True, text=True, timeout=30, check=False)


def seconds_until(condition: Callable[[], bool], at_most: float) -> float:
    """Ask until it is so, and return how long that took. Fails after `at_most` seconds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < at_most, f"not within {at_most} s"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass(frozen=True)
class Answer:
    """What a call came back with."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def portal_url(self) -> str:
        """Where a refusal leads."""
        return str(self.body["error"]["portal_url"])


def call(base_url: str, secret: str, model: str = "demo-chat", words: str = "Hello", **more: Any) -> Answer:
    """Make one chat call with a key."""
    answer = httpx.post(
        f"{base_url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": model, "messages": [{"role": "user", "content": words}], **more},
        timeout=30,
    )
    return Answer(answer.status_code, answer.json(), answer.headers)
