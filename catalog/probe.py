"""Try a provider: ask for its list of models, and say in words what came back. Shows nothing of the answer or the secret."""

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import orjson
from django.conf import settings

from catalog.actions.credentials import CredentialMissing, read_credential
from catalog.addresses import is_private
from catalog.models import Provider
from gateway.addresses import is_public

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What a try found, in a sentence for people."""

    works: bool
    words: str


def try_provider(provider: Provider) -> Finding:
    """Ask GET {address}/models with the provider's credential. Follows no redirect, and waits five seconds at most."""
    demo = provider.kind == Provider.Kind.DEMO
    address = settings.DEMO_ENGINE_URL if demo else provider.base_url
    if not address:
        return Finding(False, "The demo engine does not run here: it is started with ATRIUM_DEMO=1.")
    try:
        secret = read_credential(provider)
    except CredentialMissing as missing:
        return Finding(False, f"It was not called: {missing}.")
    if not (provider.internal or demo) and _leads_inside(urlsplit(address).hostname or ""):
        return Finding(
            False, "It was not called: its name leads to a private address, and it is not marked as internal."
        )
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    try:
        with (
            httpx.Client(
                timeout=TIMEOUT, follow_redirects=False, trust_env=False, verify=ssl.create_default_context()
            ) as client,  # trusts whom the gateway trusts
            client.stream("GET", f"{address.rstrip('/')}/models", headers=headers) as answer,
        ):
            return _judge(answer)
    except httpx.ConnectTimeout:
        return Finding(False, "Nothing answers at this address within three seconds.")
    except httpx.TimeoutException:
        return Finding(False, "It did not answer within five seconds.")
    except httpx.HTTPError as error:
        return Finding(False, f"It cannot be reached ({type(error).__name__}). Check the address.")


def _judge(answer: httpx.Response) -> Finding:
    status = answer.status_code
    if status in {401, 403}:
        return Finding(False, f"It answers, and refuses the credential ({status}).")
    if status == 404:
        return Finding(False, "It answers, and has no list of models here (404). Does the address end in /v1?")
    if answer.is_redirect:
        return Finding(False, f"It sends callers elsewhere ({status}). Enter the address it leads to.")
    if status != 200:
        return Finding(False, f"It answers with status {status}.")
    count = _count(answer)
    if count is None:
        return Finding(False, "It answers, but not with a list of models. Does the address end in /v1?")
    return Finding(
        True, f"It works: the credential is accepted, and it offers {count} model{'' if count == 1 else 's'}."
    )


def _count(answer: httpx.Response) -> int | None:
    """Return how many models the answer lists; None when it is no such list or too long to be one."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > MOST_BYTES:
            return None
    try:
        listed = orjson.loads(body)["data"]
    except (ValueError, KeyError, TypeError):
        return None
    return len(listed) if isinstance(listed, list) else None


def _leads_inside(host: str) -> bool:
    """Say whether `host` is, or resolves to, a private address."""
    if is_private(host):
        return True
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False  # the call itself will say that there is no such host
    return any(not is_public(address) for address in found)
