"""Two identity providers that nobody here wrote, each started as its own process."""

import json
from pathlib import Path
from typing import Any, Protocol

import httpx

from deploy import python_env
from deploy.own_env import IDP
from tests.idp.browser import Browser
from tests.services.processes import Running, free_port, wait_until

PROVIDER = Path(__file__).with_name("provider.mjs")


class Provider(Protocol):
    """What a test asks of a provider."""

    issuer: str

    def knows(self, subject: str, **claims: Any) -> None: ...
    def consent(self, browser: Browser, subject: str) -> None: ...
    def stop(self) -> None: ...


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


class PythonProvider:
    """PyPI oidc-provider-mock: claims come with the id_token and from userinfo alike, and it does not look at PKCE."""

    def __init__(self, folder: Path, redirect_uri: str) -> None:
        if IDP.missing():
            IDP.install()
        port = free_port()
        self.issuer = f"http://localhost:{port}"
        self._process = Running(
            [str(IDP.home / "bin" / "oidc-provider-mock"), "--port", str(port), "--require-nonce", "true"],
            folder=folder,
            name="idp",
        )
        wait_until(
            lambda: answers(f"{self.issuer}/.well-known/openid-configuration"), what="start of oidc-provider-mock"
        )

    def knows(self, subject: str, **claims: Any) -> None:
        """Let `subject` sign in from now on, with these claims."""
        httpx.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()

    def consent(self, browser: Browser, subject: str) -> None:
        """Do at the provider what a person does there; ends back at Atrium."""
        browser.submit(browser.forms()[0], sub=subject)

    def stop(self) -> None:
        self._process.stop()


class NodeProvider:
    """npm oidc-provider, certified: it demands PKCE, gives groups at userinfo only, and asks for consent."""

    def __init__(self, folder: Path, redirect_uri: str) -> None:
        port = free_port()
        self.issuer = f"http://localhost:{port}"
        self._accounts = folder / "accounts.json"
        self._accounts.write_text("{}")
        own = python_env.PYTHON.parent / "node"
        node = str(own) if own.exists() else "node"
        self._process = Running(
            [node, str(PROVIDER), str(port), redirect_uri, str(self._accounts)],
            folder=folder,
            name="idp",
            cwd=python_env.ROOT,
        )
        wait_until(lambda: answers(f"{self.issuer}/.well-known/openid-configuration"), what="start of oidc-provider")

    def knows(self, subject: str, **claims: Any) -> None:
        """Let `subject` sign in from now on, with these claims."""
        known = json.loads(self._accounts.read_text())
        self._accounts.write_text(json.dumps(known | {subject: claims}))

    def consent(self, browser: Browser, subject: str) -> None:
        """Do at the provider what a person does there (sign in, agree); ends back at Atrium."""
        while str(browser.page.url).startswith(self.issuer):
            form = browser.forms()[0]
            browser.submit(form, **({"login": subject, "password": "any"} if "login" in form.fields else {}))

    def stop(self) -> None:
        self._process.stop()


PROVIDERS = {"oidc-provider-mock": PythonProvider, "oidc-provider": NodeProvider}
