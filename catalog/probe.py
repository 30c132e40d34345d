"""Try a provider: ask for its list of models, and say in words what came back. Shows nothing of the answer or the secret."""

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import httpx
import orjson
from django.conf import settings

from catalog.actions.credentials import CredentialMissing, read_credential
from catalog.addresses import is_private
from catalog.models import Provider
from catalog.trial import question_for, way_of
from gateway.addresses import is_public
from gateway.credentials.secrets import UnusableError
from gateway.credentials.ways import GRANTS

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
MOST_BYTES = 4_000_000
Proof = Literal["unsent", "accepted", "public", "unknown"]  # what was learned of the credential
PROOFS: dict[Proof, str] = {  # said once the list came, with how many models are on it
    "unsent": "It works: it offers {}.",
    "accepted": "It works: the credential is accepted, and it offers {}.",
    "public": "It answers, and offers {}. The list of models is public there, so the credential is not proven; the first call will show.",
    "unknown": "It answers, and offers {}. Whether it looked at the credential could not be found out; the first call will show.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a try found, in a sentence for people. `latency_ms` is None where nothing answered.

    `proven`: False where it works, and may still refuse the credential when it is called.
    """

    works: bool
    words: str
    latency_ms: int | None = None
    proven: bool = True

    @property
    def sentence(self) -> str:
        return self.words if self.latency_ms is None else f"{self.words} It took {self.latency_ms} ms."


def try_provider(provider: Provider, secret: str | None = None) -> Finding:
    """Ask a provider what costs nothing, in its dialect, with its own credential or with `secret`.

    Follows no redirect, and waits five seconds at most for each answer.
    """
    demo = provider.kind == Provider.Kind.DEMO
    address = settings.DEMO_ENGINE_URL if demo else provider.base_url
    if not address:
        return Finding(False, "The demo engine does not run here: it is started with ATRIUM_DEMO=1.")
    try:
        secret = read_credential(provider) if secret is None else secret
    except CredentialMissing as missing:
        return Finding(False, f"It was not called: {missing}.")
    if not (provider.internal or demo) and _leads_inside(urlsplit(address).hostname or ""):
        return Finding(
            False, "It was not called: its name leads to a private address, and it is not marked as internal."
        )
    # trusts whom the gateway trusts
    with httpx.Client(
        timeout=TIMEOUT, follow_redirects=False, trust_env=False, verify=ssl.create_default_context()
    ) as client:
        try:
            return _ask(provider, address, secret, client)
        except UnusableError as unusable:
            return Finding(False, f"It was not called: {unusable}.")
        except httpx.ConnectTimeout:
            return Finding(False, "Nothing answers at this address within three seconds.")
        except httpx.TimeoutException:
            return Finding(False, "It did not answer within five seconds.")
        except httpx.HTTPError as error:
            return Finding(False, _trouble(error))


def _ask(provider: Provider, address: str, secret: str, client: httpx.Client) -> Finding:
    began = time.perf_counter()
    question = question_for(provider, address, secret, client)
    if question is None:
        words = "The credential is accepted. No model was asked: here every call costs money."
        return Finding(True, words, round((time.perf_counter() - began) * 1000))
    began = time.perf_counter()
    with client.stream("GET", question.url, headers=question.headers) as answer:
        count, words = _judge(answer, question.list)
    latency_ms = round((time.perf_counter() - began) * 1000)
    if count is None:
        return Finding(False, words, latency_ms)
    proof = _proof(provider, address, secret, client)
    words = PROOFS[proof].format(f"{count} model{'' if count == 1 else 's'}")
    return Finding(True, words, latency_ms, proven=proof in {"unsent", "accepted"})


def _proof(provider: Provider, address: str, secret: str, client: httpx.Client) -> Proof:
    """Ask once more without the credential: what is answered to anybody proves nothing of it."""
    way = way_of(provider)
    if not secret or way == "none":
        return "unsent"
    if way in GRANTS:  # an access token was given for it
        return "accepted"
    bare = question_for(provider, address, "", client)
    if bare is None:
        return "unknown"
    try:
        with client.stream("GET", bare.url, headers=bare.headers) as answer:
            status = answer.status_code
    except httpx.HTTPError:
        return "unknown"
    if status == 200:
        return "public"
    return "unknown" if status == 429 or status >= 500 else "accepted"


def _judge(answer: httpx.Response, name: str) -> tuple[int | None, str]:
    """Return how many models it lists; None, and why, where there is no such list."""
    status = answer.status_code
    if status in {401, 403}:
        return None, f"It answers, and refuses the credential ({status})."
    if status == 404:
        return (
            None,
            "It answers, and has no list of models here (404). Is the address right, up to and with the version?",
        )
    if answer.is_redirect:
        return None, f"It sends callers elsewhere ({status}). Enter the address it leads to."
    if status == 429:
        return None, "It answers, and says that it was called too often (429). Try again later."
    if status == 400:
        return None, "It answers, and does not take the credential or the question (400)."
    if status != 200:
        return None, f"It answers with status {status}."
    count = _count(answer, name)
    if count is None:
        return None, "It answers, but not with a list of models. Is the address right, up to and with the version?"
    return count, ""


def _count(answer: httpx.Response, name: str) -> int | None:
    """Return how many models the answer lists; None when it is no such list or too long to be one."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > MOST_BYTES:
            return None
    try:
        listed = orjson.loads(body)[name]
    except (ValueError, KeyError, TypeError):
        return None
    return len(listed) if isinstance(listed, list) else None


def _trouble(error: httpx.HTTPError) -> str:
    """Say why nothing was answered, by what lies below."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "There is no host of this name. Check the address."
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "Its certificate is not trusted here. Is it the right host? A company's own authority goes into SSL_CERT_FILE."
        if isinstance(cause, ssl.SSLError):
            return (
                "No encrypted connection came about. Does the address begin with https:// where it should be http://?"
            )
        if isinstance(cause, ConnectionRefusedError):
            return "It cannot be reached: nothing listens at this address and port."
        cause = cause.__cause__ or cause.__context__
    return f"It cannot be reached ({type(error).__name__}). Check the address."


def _leads_inside(host: str) -> bool:
    """Say whether `host` is, or resolves to, a private address."""
    if is_private(host):
        return True
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False  # the call itself will say that there is no such host
    return any(not is_public(address) for address in found)
