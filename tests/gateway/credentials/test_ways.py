"""Which headers tell a provider who calls: by unit, and through a gateway."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoKeys

from gateway.credentials.aws import keys_of, region_of
from gateway.credentials.secrets import UnusableError
from gateway.credentials.ways import Credentials
from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy
from gateway.stages.scrub import scrubbed
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.credentials.test_tokens import ACCOUNT, Endpoint, token
from tests.upstream import FakeUpstream

HEADERS = {"content-type": "application/json"}
NOW = 1_800_000_000.0


def told(way: str, place: DeploymentPolicy, url: str = "https://h.example/x", body: bytes = b"{}") -> dict[str, str]:
    credentials = Credentials(Endpoint(token("x")), lambda: NOW, lambda: 0.0, lambda code, subject: None)
    found = credentials.at_hand(way, place, url, HEADERS, body)
    assert found is not None
    return dict(found)


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        ("bearer", {"authorization": "Bearer hush"}),
        ("x-api-key", {"x-api-key": "hush"}),
        ("api-key", {"api-key": "hush"}),
        ("x-goog-api-key", {"x-goog-api-key": "hush"}),
        ("none", {}),
        ("aws", {"authorization": "Bearer hush"}),
    ],
)
def test_static_ways(way: str, headers: dict[str, str]) -> None:
    assert told(way, make.deployment("https://h.example", credential=" hush\n")) == headers
    assert told(way, make.deployment("https://h.example", credential="")) == {}


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(UpstreamError, match=r"acme.*cookie") as caught:
        told("cookie", make.deployment("https://h.example", credential="hush"))
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+x", ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+x", "")),
        ('{"access_key_id": "AKIA", "secret_access_key": "s"}', ("AKIA", "s", "")),
        ('{"access_key_id": "ASIA", "secret_access_key": "s", "session_token": "t"}', ("ASIA", "s", "t")),
        ("ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl", None),
        ("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb24=", None),
    ],
)
def test_what_an_aws_secret_is(secret: str, keys: tuple[str, str, str] | None) -> None:
    found = keys_of(secret)
    assert (found and (found.access_key_id, found.secret, found.token)) == keys


@pytest.mark.parametrize("secret", ["{", '{"access_key_id": "AKIA"}', '{"access_key_id": 1, "secret_access_key": "s"}'])
def test_an_aws_secret_that_is_none(secret: str) -> None:
    with pytest.raises(UnusableError):
        keys_of(secret)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-0a1b-x.bedrock-runtime.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_the_region_is_in_the_host(host: str, region: str) -> None:
    assert region_of({}, host) == region
    assert region_of({"region": "ap-south-1"}, host) == "ap-south-1"


def test_a_region_nobody_knows() -> None:
    with pytest.raises(UpstreamError, match=r"acme.*option region"):
        told("aws", make.deployment("https://h.example", credential='{"access_key_id":"A","secret_access_key":"s"}'))


@pytest.mark.parametrize("port", ["", ":8443"])
def test_a_signature_is_the_one_that_boto_makes(port: str) -> None:
    url = f"https://bedrock-runtime.us-east-1.amazonaws.com{port}/model/anthropic.claude-v2%3A1/converse"
    place = make.deployment(url, credential='{"access_key_id":"AKID","secret_access_key":"s","session_token":"t"}')
    made = told("aws", place, url, b'{"messages": []}')
    request = AWSRequest("POST", url, data=b'{"messages": []}', headers=HEADERS)
    request.context["timestamp"] = made["x-amz-date"]
    signer = SigV4Auth(BotoKeys("AKID", "s", "t"), "bedrock", "us-east-1")
    request.headers["X-Amz-Date"], request.headers["X-Amz-Security-Token"] = made["x-amz-date"], "t"
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert made["authorization"].endswith(f"Signature={signature}")
    assert made["x-amz-security-token"] == "t"


@pytest.mark.parametrize(
    "quoted",
    [
        "ya29.a0AfH6SMBexample",
        "AKIAIOSFODNN7EXAMPLE",
        "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3M",
    ],
)
def test_what_a_provider_quotes_of_a_credential_is_masked(quoted: str) -> None:
    assert scrubbed({"message": f"bad token {quoted}."}, "{}") == {"message": "bad token [credential]"}


class Tokens(HTTPServer):
    """A token endpoint on a real socket."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked = 0
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}/token"


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Tokens)
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked += 1
        body = json.dumps({"access_token": f"ya29.token{self.server.asked}", "expires_in": 3599}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    """A token endpoint."""
    with Tokens() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_call_with_an_access_token(start_gateway: StartGateway, upstream: FakeUpstream, tokens: Tokens) -> None:
    secret = json.dumps({**ACCOUNT, "token_uri": tokens.url})
    gateway = start_gateway(deployment={"credential": secret, "auth": "gcp"})
    assert [gateway.chat().status_code for _ in range(3)] == [200, 200, 200]
    assert [request.header("authorization") for request in upstream.received] == ["Bearer ya29.token1"] * 3
    assert tokens.asked == 1


def test_a_call_that_gets_no_access_token(start_gateway: StartGateway, upstream: FakeUpstream, tokens: Tokens) -> None:
    tokens.status = 403
    secret = json.dumps({**ACCOUNT, "token_uri": tokens.url})
    gateway = start_gateway(deployment={"credential": secret, "auth": "gcp"})
    answer = gateway.chat()
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["source"]) == (502, "upstream_credential", "gateway")
    assert "acme" in error["message"] and "HTTP 403" in error["message"]
    assert "BEGIN" not in answer.text and "iam.gserviceaccount" not in answer.text
    assert upstream.received == [] and gateway.journal.records == []


def test_a_call_with_a_header_of_its_own(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(deployment={"auth": "api-key"})
    assert gateway.chat().status_code == 200
    assert upstream.received[0].header("api-key") == make.CREDENTIAL
    assert upstream.received[0].header("authorization") is None
