"""What every story does: sign in, mint, call, read what was answered."""

from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Page, expect


def sign_in(page: Page, base_url: str, persona: str) -> None:
    """Sign in as one of the demo's people, with one click."""
    page.goto(f"{base_url}/accounts/login/")
    page.locator(f"form:has(input[name=persona][value={persona}]) button").click()
    expect(page.locator("main")).to_be_visible()


def mint(page: Page, base_url: str, name: str) -> str:
    """Mint a key as the form comes, but for its name; returns the secret as the page shows it."""
    page.goto(f"{base_url}/keys/new")
    page.locator("[name=name]").fill(name)
    page.locator("main form button[type=submit]").last.click()
    return revealed(page)


def revealed(page: Page) -> str:
    """Read the secret from the page that shows it once."""
    secret = page.locator("#secret")
    expect(secret).to_be_visible()
    text = secret.text_content() or ""
    return text.strip()


@dataclass(frozen=True)
class Answer:
    """What a call came back with."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers


def call(base_url: str, secret: str, model: str = "demo-chat", words: str = "Hello", **more: Any) -> Answer:
    """Make one chat call with a key."""
    answer = httpx.post(
        f"{base_url}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": model, "messages": [{"role": "user", "content": words}], **more},
        timeout=30,
    )
    return Answer(answer.status_code, answer.json(), answer.headers)
