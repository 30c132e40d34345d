"""Requests that are wrong, too much, or not for us: each has an answer that says so."""

import gzip
import json
import re
import socket
import zlib
from typing import Any

import httpx
import pytest

from gateway.endpoints import ENDPOINTS, KNOWN, dialect_of, handles
from gateway.runtime import Limits
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream

BODY = {"model": "chat-small", "messages": HELLO}


def post(gateway: LiveGateway, content: bytes, **headers: str) -> httpx.Response:
    """Send these bytes as a chat call."""
    named = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.client.post("/v1/chat/completions", content=content, headers=named)


def error_of(answer: httpx.Response) -> tuple[int, str, Any]:
    """Return status, code and parameter of an error."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"model": "x",}', "byte"),
        (b'{"model": "x"', "ends too early"),
        (b'{"model": "\xff"}', "UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"model": "a", "model": "chat-small", "messages": []}', "twice"),
        (b'{"model": "a", "mod\\u0065l": "chat-small", "messages": []}', "twice"),
    ],
)
def test_a_body_that_cannot_be_read(gateway: LiveGateway, upstream: FakeUpstream, content: bytes, words: str) -> None:
    answer = post(gateway, content)
    assert error_of(answer)[:2] == (400, "invalid_request")
    assert words in answer.json()["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert not upstream.received


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"model": "a\r\nx: y"}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"messages": None}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 10_000}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"stream_options": []}, "stream_options"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(gateway: LiveGateway, changes: dict[str, Any], param: str) -> None:
    assert error_of(gateway.chat(**changes)) == (400, "invalid_request", param)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"modalities": "audio"}, "modalities"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"service_tier": ["priority"]}, "service_tier"),
        ({"models": ["another-model"]}, "models"),
        ({"best_of": 20}, "best_of"),
        ({"search_parameters": {"mode": "on"}}, "search_parameters"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"data_sources": [{"type": "azure_search"}]}, "data_sources"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages"),
    ],
)
def test_what_has_no_price_is_refused_by_name(gateway: LiveGateway, changes: dict[str, Any], param: str) -> None:
    assert error_of(gateway.chat(**changes)) == (400, "unsupported_parameter", param)


@pytest.mark.parametrize("name", ["N", "Max_Tokens", "MODEL", "me\u017f\u017fages", "best_OF"])
def test_a_name_that_some_providers_would_read_is_not_passed_on(
    gateway: LiveGateway, upstream: FakeUpstream, name: str
) -> None:
    status, code, param = error_of(gateway.chat(**{name: 100}))
    assert (status, code, param) == (400, "invalid_request", name.casefold())
    assert not upstream.received


@pytest.mark.parametrize("name", ["modalities", "service_tier", "tools"])
def test_a_number_beyond_all_bounds_is_a_mistake_and_no_defect(gateway: LiveGateway, name: str) -> None:
    body = b'{"model": "chat-small", "messages": [], "%b": %b}' % (name.encode(), b"9" * 5000)
    assert error_of(post(gateway, body)) == (400, "invalid_request", name)
    embed = b'{"model": "embed-small", "input": [%b]}' % (b"9" * 5000)
    answer = gateway.client.post("/v1/embeddings", content=embed, headers={"content-type": "application/json"})
    assert error_of(answer) == (400, "invalid_request", "input")


def test_images_have_a_bound_instead_of_their_size(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    def see(url: str, detail: str) -> int:
        part = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
        answer = gateway.chat(messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}])
        assert answer.status_code == 200, answer.text
        return gateway.journal.opened[-1].bound_input_tokens

    inline = "data:image/png;base64," + "A" * 400_000
    assert 49_000 < see(inline, "auto") < 50_000
    assert 2_900 < see(inline, "low") < 4_000
    assert see("https://example.com/cat.png", "low") == 128_000  # not visible here: the context window bounds it
    assert see("data:application/pdf;base64," + "A" * 400, "low") == 128_000
    assert upstream.received[0].json()["messages"][0]["content"][1]["image_url"]["url"] == inline


def test_a_body_over_the_limit(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(max_body_bytes=1000))
    assert error_of(post(gateway, b"x" * 1001))[:2] == (413, "request_too_large")

    def pieces() -> Any:
        for _ in range(11):
            yield b"x" * 100

    answer = gateway.client.post("/v1/chat/completions", content=pieces())
    assert error_of(answer)[:2] == (413, "request_too_large")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_unpacked(gateway: LiveGateway, upstream: FakeUpstream, name: str, pack: Any) -> None:
    assert post(gateway, pack(json.dumps(BODY).encode()), content_encoding=name).status_code == 200
    assert upstream.received[0].json()["messages"] == HELLO
    assert upstream.received[0].header("content-encoding") is None


def test_a_bomb_is_stopped_on_the_way(gateway: LiveGateway) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    assert error_of(post(gateway, bomb, content_encoding="gzip"))[:2] == (413, "request_too_large")


def test_encodings_that_are_not_what_they_say(gateway: LiveGateway) -> None:
    assert error_of(post(gateway, b"{}", content_encoding="br"))[:2] == (415, "unsupported_encoding")
    assert error_of(post(gateway, b"{}", content_encoding="gzip"))[:2] == (400, "invalid_request")
    cut = gzip.compress(json.dumps(BODY).encode())[:-6]
    assert error_of(post(gateway, cut, content_encoding="gzip"))[:2] == (400, "invalid_request")


def test_a_body_that_does_not_come_is_given_up(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(body_idle_s=0.2))
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.secret}\r\n"
        connection.sendall(head.encode() + b'content-length: 100\r\n\r\n{"model"')
        assert b"408 " in connection.recv(4096)
    until(lambda: gateway.idle)


@pytest.mark.parametrize(
    "lengths",
    [
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"content-length: +5\r\n",
        b"content-length : 5\r\n",
    ],
)
def test_obfuscated_lengths_are_refused_and_the_connection_closed(
    gateway: LiveGateway, upstream: FakeUpstream, lengths: bytes
) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.secret}\r\n".encode()
        connection.sendall(head + lengths + b"\r\n" + b"0\r\n\r\nGET /v1/key HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = b""
        while data := connection.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not upstream.received


def test_strangers_are_refused_before_their_body_is_read(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    answer = gateway.stranger.post("/v1/chat/completions", content=b"not json")
    assert error_of(answer)[:2] == (401, "missing_key")


@pytest.mark.parametrize(
    "path",
    [
        *sorted({*KNOWN} - {"/v1/realtime/"}),
        "/v1",
        "/v1beta",
        "/v1/nothing",
        "/v1/chat",
        "/v1/chat/completions/",
        "/v1/models/",
    ],
)
def test_paths_that_are_not_served_say_what_is(gateway: LiveGateway, path: str) -> None:
    assert handles(path)
    answer = gateway.client.post(path, json={})
    assert answer.status_code == 404
    until(lambda: [line.code for line in gateway.observed.lines] == ["endpoint_not_supported"])
    message = json.dumps(answer.json())
    for endpoint in ENDPOINTS:
        named = f"{endpoint.method} {endpoint.path}" in message
        assert named or endpoint.dialect != dialect_of(path, {})
    assert ("/v1/batches" in message) == (dialect_of(path, {}) == "openai")


def test_the_error_has_the_shape_of_the_dialect(gateway: LiveGateway) -> None:
    anthropic = gateway.client.post("/v1/messages", json={}).json()
    assert (anthropic["type"], anthropic["error"]["type"]) == ("error", "invalid_request_error")
    assert anthropic["request_id"].startswith("req_")
    for path in ("/v1beta/models/gemini-pro:generateContent", "/v1/models/gemini-pro:streamGenerateContent"):
        gemini = gateway.client.post(path, json={"contents": [{"parts": [{"text": "hi"}]}]}).json()
        assert (gemini["error"]["code"], gemini["error"]["status"]) == (404, "NOT_FOUND")
    batch = gateway.client.post("/v1/models/gemini-pro:batchGenerateContent", json={}).json()
    assert (batch["error"]["code"], batch["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_route_answers_its_method_and_no_other(gateway: LiveGateway, endpoint: Any) -> None:
    path = re.sub(r"\{\w+\}", "chat-small", endpoint.path)
    methods = {one.method for one in ENDPOINTS if one.path == endpoint.path}
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = gateway.client.request(method, path)
        if method in methods:
            # 404: nothing is kept under that name; 415: it takes a form; 426: it takes a WebSocket
            assert answer.status_code in {200, 400, 404, 415, 426}
            assert "not a method" not in answer.text and "is not served" not in answer.text
        else:
            assert answer.status_code == 405
            assert methods <= set(answer.headers["allow"].split(", "))
    options = gateway.stranger.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert "access-control-allow-origin" not in options.headers
    if endpoint.method == "GET":
        head = gateway.client.head(path)
        assert (head.status_code, head.content) == (gateway.client.get(path).status_code, b"")
        assert int(head.headers["content-length"]) > 2


def test_a_base_url_with_v1_twice_gets_a_hint(gateway: LiveGateway) -> None:
    answer = gateway.client.post("/v1/v1/chat/completions", json=BODY)
    assert "once too often" in answer.json()["error"]["message"]


def test_a_process_that_is_full_or_stopping_says_so(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(max_in_flight=0))
    answer = gateway.chat()
    assert error_of(answer)[:2] == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    gateway.runtime.closing = True
    assert error_of(gateway.chat())[:2] == (503, "shutting_down")
