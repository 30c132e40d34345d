"""Access tokens: asked for once, kept, renewed in time; what goes wrong is said without the secret."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.credentials.ways import Credentials
from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy
from gateway.types import UpstreamRequest
from tests.factories import gateway as make

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ACCOUNT = {
    "type": "service_account",
    "project_id": "acme",
    "private_key_id": "kid-1",
    "private_key": PEM,
    "client_email": "atrium@acme.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}
APP = {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": "entra-secret-0123456789"}
SHORT_KEY = """-----BEGIN PRIVATE KEY-----
MIIBCgIBADANBgkqhkiG9w0BAQEFAASB9TCB8gIBAAIxAJO/kvI9SwUxvRgtze/4
ewnnMzTSn1xZZUFeoubLorYLkuK976SyfinXl3ZMw2cZ8wIDAQABAjB6MAnfqc78
GblPYLoaRj3C3+CaQ8GlRwvThbTcTdUUib9MvuXhES+bdQvhjfIfVBECGQDAud6v
CVNnwiHqLwSXPvoU0AkKhr65cisCGQDEQXFAnKwlWvOS0knzABClQhdM5dwbu1kC
GBb2DhHMiqNR/bho4aMjXagdIPagFxkBAQIYSCRyWDj/gt/TJ8aLjnsYo1cPL6JT
bhJJAhkAscxuVpwnLhEQ+REfuBlrCbRoU/utsOdA
-----END PRIVATE KEY-----
"""  # of 384 bits, made for this test
NOW = 1_800_000_000.0


@dataclass
class Said:
    """An answer of a token endpoint."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False

    async def chunk(self) -> bytes:
        body, self.body = self.body, b""
        return body

    def close(self) -> None:
        self.closed = True


class Endpoint:
    """An `Upstream` that is a token endpoint: it counts, waits where told, and answers in turn; the last one again."""

    def __init__(self, *answers: Said | UpstreamError) -> None:
        self.answers = list(answers)
        self.asked: list[UpstreamRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self, request: UpstreamRequest) -> Said:
        self.asked.append(request)
        await self.gate.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, UpstreamError):
            raise answer
        return Said(answer.status, answer.body)

    async def close(self) -> None:
        """Nothing to close."""


class World:
    """Credentials with a clock that stands, and what they raised alarms about."""

    def __init__(self, *answers: Said | UpstreamError) -> None:
        self.endpoint = Endpoint(*answers)
        self.seconds = 1000.0
        self.alarms: list[tuple[str, str]] = []
        self.credentials = Credentials(
            self.endpoint, lambda: NOW, lambda: self.seconds, lambda code, subject: self.alarms.append((code, subject))
        )

    def at_hand(self, way: str, place: DeploymentPolicy) -> Mapping[str, str] | None:
        return self.credentials.at_hand(way, place, "https://x.example/y", {"content-type": "application/json"}, b"{}")


def token(value: str, lasts_s: Any = 3600) -> Said:
    return Said(200, json.dumps({"access_token": value, "expires_in": lasts_s, "token_type": "Bearer"}).encode())


def google(**changes: Any) -> DeploymentPolicy:
    return make.deployment("https://x.example", internal=False, credential=json.dumps({**ACCOUNT, **changes}))


def entra(**changes: Any) -> DeploymentPolicy:
    return make.deployment("https://x.example", internal=False, credential=json.dumps({**APP, **changes}))


async def settled() -> None:
    """Let what runs in the background, threads included, come to its end."""
    for _ in range(200):
        await asyncio.sleep(0.002)
        if all(task is asyncio.current_task() for task in asyncio.all_tasks()):
            return


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_what_google_is_asked() -> None:
    world = World(token("ya29.one"))
    assert await world.credentials.fetched("gcp", google()) == {"authorization": "Bearer ya29.one"}
    (request,) = world.endpoint.asked
    assert request.url == "https://oauth2.googleapis.com/token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = form["assertion"][0].split(".")
    assert decoded(head) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert decoded(claims) == {
        "iss": "atrium@acme.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
    }
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    KEY.public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_what_entra_is_asked() -> None:
    world = World(token("eyJ.one"))
    assert await world.credentials.fetched("entra", entra()) == {"authorization": "Bearer eyJ.one"}
    (request,) = world.endpoint.asked
    assert request.url == "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token"
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client-1"],
        "client_secret": ["entra-secret-0123456789"],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }


async def test_a_key_too_short_to_sign_with_is_told_as_a_credential_that_cannot_be_used() -> None:
    world = World(token("ya29.one"))
    with pytest.raises(UpstreamError, match="too short to sign") as caught:
        await world.credentials.fetched("gcp", google(private_key=SHORT_KEY))
    assert (caught.value.code, caught.value.sent) == ("upstream_credential", False)
    assert not world.endpoint.asked


async def test_one_request_for_all_who_wait_and_none_while_it_holds() -> None:
    world = World(token("ya29.one"))
    assert world.at_hand("gcp", google()) is None
    found = await asyncio.gather(*(world.credentials.fetched("gcp", google()) for _ in range(20)))
    assert found == [{"authorization": "Bearer ya29.one"}] * 20
    world.seconds += 3600 - 300 - 1
    assert world.at_hand("gcp", google()) == {"authorization": "Bearer ya29.one"}
    assert len(world.endpoint.asked) == 1


async def test_renewed_in_the_background_from_five_minutes_before_the_end() -> None:
    world = World(token("ya29.one"), token("ya29.two"))
    await world.credentials.fetched("gcp", google())
    world.seconds += 3600 - 299
    world.endpoint.gate.clear()
    for _ in range(5):
        assert world.at_hand("gcp", google()) == {"authorization": "Bearer ya29.one"}
        await asyncio.sleep(0.01)
    assert len(world.endpoint.asked) == 2
    world.endpoint.gate.set()
    await settled()
    assert world.at_hand("gcp", google()) == {"authorization": "Bearer ya29.two"}
    assert len(world.endpoint.asked) == 2


async def test_a_renewal_that_fails_leaves_the_token_in_use_and_is_not_repeated_at_once() -> None:
    world = World(token("ya29.one"), Said(500, b""))
    await world.credentials.fetched("gcp", google())
    world.seconds += 3600 - 200
    for _ in range(3):
        assert world.at_hand("gcp", google()) == {"authorization": "Bearer ya29.one"}
        await settled()
    assert len(world.endpoint.asked) == 2
    assert world.alarms == [("upstream_credential", "dep_1")]
    world.seconds += 6
    world.at_hand("gcp", google())
    await settled()
    assert len(world.endpoint.asked) == 3
    world.seconds += 200
    assert world.at_hand("gcp", google()) is None, "it has ended"


async def test_another_credential_asks_anew() -> None:
    world = World(token("ya29.one"), token("ya29.two"))
    await world.credentials.fetched("gcp", google())
    other = google(private_key_id="kid-2")
    assert world.at_hand("gcp", other) is None
    assert await world.credentials.fetched("gcp", other) == {"authorization": "Bearer ya29.two"}


async def test_a_caller_that_goes_away_does_not_take_the_token_from_others() -> None:
    world = World(token("ya29.one"))
    world.endpoint.gate.clear()
    leaving = asyncio.ensure_future(world.credentials.fetched("gcp", google()))
    staying = asyncio.ensure_future(world.credentials.fetched("gcp", google()))
    await asyncio.sleep(0.05)
    leaving.cancel()
    world.endpoint.gate.set()
    assert await staying == {"authorization": "Bearer ya29.one"}
    assert len(world.endpoint.asked) == 1


async def test_a_refused_token_is_given_up_once_it_is_a_minute_old() -> None:
    world = World(token("ya29.one"), token("ya29.two"))
    await world.credentials.fetched("gcp", google())
    world.credentials.refused(google())
    assert world.at_hand("gcp", google()) is not None
    world.seconds += 61
    world.credentials.refused(google())
    assert world.at_hand("gcp", google()) is None


BAD = Said(400, b'{"error": "invalid_grant", "error_description": "entra-secret-0123456789 is wrong"}')
UNREACHABLE = UpstreamError("The provider acme could not be reached.", code="upstream_unreachable", sent=False)


@pytest.mark.parametrize(
    ("way", "place", "answer", "words", "retry"),
    [
        ("entra", entra(), BAD, "HTTP 400 (invalid_grant)", False),
        ("entra", entra(), Said(503, b"<html>"), "HTTP 503", True),
        ("entra", entra(), Said(200, b"[]"), "no access token", False),
        ("entra", entra(), Said(200, b'{"access_token": "a b"}'), "no access token", False),
        ("entra", entra(), UNREACHABLE, "could not be reached", True),
        ("entra", entra(client_secret=""), token("x"), 'no "client_secret"', False),
        ("gcp", google(private_key="-----BEGIN hush"), token("x"), '"private_key" of the credential cannot', False),
        ("gcp", google(token_uri="https://evil.example/token"), token("x"), "none of the vendor's", False),
        ("gcp", google(token_uri="http://oauth2.googleapis.com/token"), token("x"), "none of the vendor's", False),
        ("gcp", google(token_uri="https://oauth2.googleapis.com:8443/"), token("x"), "none of the vendor's", False),
        ("gcp", google(token_uri=7), token("x"), "none of the vendor's", False),
        ("gcp", make.deployment("https://x", credential="AIza-not-json"), token("x"), "not valid JSON", False),
        ("gcp", make.deployment("https://x", credential="[]"), token("x"), "not a JSON object", False),
    ],
)
async def test_failures_name_the_provider_and_never_the_secret(
    way: str, place: DeploymentPolicy, answer: Said | UpstreamError, words: str, retry: bool
) -> None:
    world = World(answer)
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await world.credentials.fetched(way, place)
        error = caught.value
        assert (error.code, error.status, error.sent, error.retry) == ("upstream_credential", 502, False, retry)
        assert "acme" in error.message and words in error.message
        assert not any(secret in str(vars(error)) for secret in ("entra-secret", "hush", "BEGIN", "AIza", "x.example"))
    assert len(world.endpoint.asked) <= 1, "not asked again within seconds"
    assert world.alarms == [("upstream_credential", "dep_1")]


async def test_a_secret_goes_to_the_vendors_hosts_alone_unless_the_provider_is_internal() -> None:
    world = World(token("ya29.one"))
    place = make.deployment(
        "http://x", credential=json.dumps({**ACCOUNT, "token_uri": "http://tokens.internal:8080/token"})
    )
    assert place.internal
    await world.credentials.fetched("gcp", place)
    assert world.endpoint.asked[0].url == "http://tokens.internal:8080/token"


async def test_nothing_is_shown() -> None:
    world = World(token("ya29.one"))
    await world.credentials.fetched("gcp", google())
    everything = repr([vars(tokens) for tokens in world.credentials._tokens.values()]) + repr(world.endpoint.asked)
    assert "ya29" not in everything and "BEGIN" not in everything
