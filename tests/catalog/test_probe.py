"""Testing a provider's connection says in words what came back, and shows nothing of the answer or the secret."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from catalog.actions.credentials import set_credential
from catalog.models import Provider
from catalog.probe import try_provider
from tests.factories.catalog import ProviderFactory
from tests.factories.people import SYSTEM

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"
CREDENTIALS = {"authorization", "x-api-key", "api-key", "x-goog-api-key"}


class Engine(ThreadingHTTPServer):
    """Answers GET /v1/models as it is told, and remembers what it was sent; refuses who sends no credential at all.

    With `public` it looks at no credential.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.headers, self.seen = 200, b'{"data": [{"id": "a"}, {"id": "b"}]}', {}, []  # type: ignore[var-annotated]

        self.heads: list[dict[str, str]] = []
        self.public = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        engine: Any = self.server
        if not (engine.public or CREDENTIALS & {name.lower() for name in self.headers}):
            self.send_error(401)
            return
        engine.seen.append((self.path, self.headers.get("authorization")))
        engine.heads.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(engine.status)
        for name, value in engine.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(engine.body)))
        self.end_headers()
        self.wfile.write(engine.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    thread = Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield engine
    engine.shutdown()
    thread.join()
    engine.server_close()


@pytest.fixture
def provider(engine: Engine) -> Provider:
    provider: Provider = ProviderFactory(base_url=engine.address)
    set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    return Provider.objects.get()


def test_it_works(engine: Engine, provider: Provider) -> None:
    finding = try_provider(provider)
    assert finding.works
    assert finding.proven
    assert "the credential is accepted, and it offers 2 models" in finding.words
    assert engine.seen == [("/v1/models", f"Bearer {SECRET}")]


def test_a_list_that_anybody_gets_proves_no_credential(engine: Engine, provider: Provider) -> None:
    engine.public = True
    finding = try_provider(provider)
    assert (finding.works, finding.proven) == (True, False)
    assert "accepted" not in finding.words
    assert "offers 2 models. The list of models is public there" in finding.words
    assert [credential for _, credential in engine.seen] == [f"Bearer {SECRET}", None]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"{}", "refuses the credential (401)"), (403, b"{}", "refuses the credential (403)"),
        (404, b"{}", "up to and with the version?"),
        (500, b"{}", "answers with status 500"), (200, b"<html>", "not with a list of models"),
        (200, b"[]", "not with a list of models"), (200, json.dumps({"data": 5}).encode(), "not with a list of models"),
        (200, b"[" * 100_000, "not with a list of models"), (200, b" " * 5_000_000, "not with a list of models"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(
    status: int, body: bytes, words: str, engine: Engine, provider: Provider
) -> None:
    engine.status, engine.body = status, body + SECRET.encode()
    finding = try_provider(provider)
    assert not finding.works
    assert words in finding.words
    assert SECRET not in finding.words


@pytest.mark.parametrize(
    ("dialect", "options", "name", "path", "header"),
    [
        ("anthropic", {}, "data", "/v1/models", ("x-api-key", SECRET)), ("gemini", {}, "models", "/v1/models", ("x-goog-api-key", SECRET)),
        ("azure", {}, "data", "/v1/openai/v1/models", ("api-key", SECRET)),
        ("azure", {"api_version": "2024-10-21"}, "data", "/v1/openai/models?api-version=2024-10-21", ("api-key", SECRET)),
        ("cohere", {}, "models", "/v1/v1/models", ("authorization", f"Bearer {SECRET}")),
        ("bedrock", {"region": "eu-central-1"}, "modelSummaries", "/v1/foundation-models", ("authorization", f"Bearer {SECRET}")),
    ],
)  # fmt: skip
def test_each_dialect_is_asked_in_its_own_way(
    dialect: str, options: dict[str, str], name: str, path: str, header: tuple[str, str], engine: Engine, provider: Provider
) -> None:  # fmt: skip
    Provider.objects.update(dialect=dialect, options=options, base_url=engine.address.removesuffix("/v1") + "/v1")
    if dialect in ("azure", "cohere"):  # whose address has no version
        path = path.removeprefix("/v1")
        Provider.objects.update(base_url=engine.address.removesuffix("/v1"))
    engine.body = json.dumps({name: [{}, {}, {}]}).encode()
    finding = try_provider(Provider.objects.get())
    assert finding.works, finding.words
    assert "offers 3 models" in finding.sentence
    assert f"It took {finding.latency_ms} ms." in finding.sentence
    assert engine.seen[-1][0] == path
    assert engine.heads[-1][header[0]] == header[1]


def test_an_access_key_signs_and_is_not_sent(engine: Engine, provider: Provider) -> None:
    Provider.objects.update(dialect="bedrock", options={"region": "eu-central-1"})
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"}
    set_credential(actor=SYSTEM, provider=provider, value=json.dumps(keys, indent=1))
    engine.body = b'{"modelSummaries": []}'
    assert try_provider(Provider.objects.get()).works
    assert engine.heads[-1]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert "wJalr" not in str(engine.heads)


def test_a_credential_that_cannot_be_used_is_said(engine: Engine, provider: Provider) -> None:
    Provider.objects.update(dialect="vertex", options={"project": "p", "location": "europe-west1"})
    finding = try_provider(Provider.objects.get())
    assert not finding.works
    assert "not valid JSON" in finding.words
    assert SECRET not in finding.words
    assert engine.seen == []


def test_a_redirect_is_not_followed(engine: Engine, provider: Provider) -> None:
    engine.status, engine.headers = 302, {"location": f"{engine.address}/elsewhere"}
    assert "sends callers elsewhere" in try_provider(provider).words
    assert len(engine.seen) == 1


def test_nobody_there(provider: Provider) -> None:
    Provider.objects.update(base_url="http://127.0.0.1:9/v1")
    finding = try_provider(Provider.objects.get())
    assert not finding.works
    assert "cannot be reached" in finding.words


def test_a_missing_secret_is_said_and_nothing_is_called(engine: Engine, provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, env="ACME_KEY")
    assert "ACME_KEY" in try_provider(Provider.objects.get()).words
    assert engine.seen == []


def test_a_name_that_leads_inside_is_not_called_for_a_public_provider(engine: Engine, provider: Provider) -> None:
    Provider.objects.update(internal=False)
    assert "private address" in try_provider(Provider.objects.get()).words
    assert engine.seen == []
