"""What another server might read differently is refused, and the connection closed: nothing behind it is a request."""

import pytest

from tests.gateway.front.wire import Wire, chat, head
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream

PATH = "/v1/chat/completions"


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 5", "content-length: 5"),
        ("content-length: 5", "content-length: 6"),
        ("content-length: 5, 5",),
        ("content-length: +5",),
        ("content-length: 0x5",),
        ("content-length: 99999999999999999999999",),
        ("content-length : 5",),
        ("content-length:",),
        ("content-length: 5", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 5"),
        ("transfer-encoding: xchunked",),
        ("transfer-encoding: chunked, identity",),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding: identity",),
        ("transfer-encoding: \x0bchunked",),
        ("transfer-encoding: chunked", "transfer-encoding: chunked"),
        ("transfer-encoding: identity", "expect: 100-continue"),
        ("authorization: Bearer another",),
        ("host: y",),
        ("content-type: application/json", "Content-Type: text/plain"),
        ("x-a: b\x00c",),
        ("x-a: b\rc",),
        ("x-a: b\n c",),
        ("x-a: b\r\n folded",),
        ("x-a\x00: b",),
        ("x a: b",),
        (": b",),
    ],
)
def test_a_head_that_is_not_to_be_trusted(gateway: LiveGateway, upstream: FakeUpstream, lines: tuple[str, ...]) -> None:
    with Wire(gateway) as wire:
        wire.send(head(gateway, "POST", PATH, *lines) + b"0\r\n\r\n" + head(gateway, "GET", "/v1/models"))
        answer = wire.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert wire.closed()
    assert not upstream.received


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /v1/models HTTP/2.0", 505),
        (b"GET /v1/models HTTP/0.9", 505),
        (b"GET /v1/models HTTP/1.2", 400),
        (b"GET /v1/models", 505),
        (b"GET /v1/mod\x00els HTTP/1.1", 400),
        (b"GET /v1/\xff HTTP/1.1", 400),
        (b"CONNECT x:443 HTTP/1.1", 400),
        (b"BREW /v1/models HTTP/1.1", 400),
        (b"PRI * HTTP/2.0", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
    ],
)
def test_a_request_line_that_is_none(gateway: LiveGateway, request_line: bytes, status: int) -> None:
    with Wire(gateway) as wire:
        answer = wire.send(request_line + b"\r\nhost: x\r\n\r\n").answer()
        assert (answer.status, answer.closes) == (status, True)
        assert wire.closed()


@pytest.mark.parametrize(
    "body", [b"5\r\nhelloX\r\n", b"5\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\n", b"-1\r\n\r\n", b"5 5\r\nhello\r\n"]
)
def test_chunks_that_are_none(gateway: LiveGateway, upstream: FakeUpstream, body: bytes) -> None:
    with Wire(gateway) as wire:
        wire.send(head(gateway, "POST", PATH, "transfer-encoding: chunked") + body)
        answer = wire.answer()
        assert (answer.status, answer.code, answer.closes) == (400, "invalid_request", True)
        assert wire.closed()
    assert not upstream.received


def test_an_answer_never_overtakes_one_that_was_asked_for_before(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        wire.send(chat(gateway, messages=[{"role": "user", "content": "fake:delay=0.1"}]) + b"\x00nonsense\r\n\r\n")
        assert [wire.answer().status, wire.answer().status] == [200, 400]
        assert wire.closed()


def test_what_is_refused_at_the_door_is_noted(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        answer = wire.send(b"nonsense\r\n\r\n").answer()
    [line] = gateway.observed.lines
    assert (line.status, line.code, line.key_id) == (400, "invalid_request", "")
    assert line.request_id == answer.headers["x-request-id"]
