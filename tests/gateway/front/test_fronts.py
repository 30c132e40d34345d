"""What the pipeline relies on holds over every front: the fast lane, and ASGI under another server's protocol."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.front.protocol import FastLane
from gateway.runtime import Limits
from tests.gateway.conftest import StartGateway
from tests.gateway.front.wire import Wire, chat, head
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan

MODELS = ("GET", "/v1/models")
BODY = ("POST", "/v1/chat/completions")


@pytest.fixture(params=[FastLane, HttpToolsProtocol, H11Protocol], ids=["lane", "asgi-httptools", "asgi-h11"])
def start(request: pytest.FixtureRequest, start_gateway: StartGateway) -> StartGateway:
    """Start gateways behind one of the fronts."""
    http: type[asyncio.Protocol] = request.param

    def start_it(**options: Any) -> LiveGateway:
        return start_gateway(http=http, **options)

    return start_it


def test_a_whole_answer_and_a_stream(start: StartGateway) -> None:
    gateway = start()
    with Wire(gateway) as wire:
        whole = wire.send(chat(gateway)).answer()
        assert (whole.status, whole.headers["content-type"]) == (200, "application/json")
        assert "x-atrium-cost-usd" in whole.headers
        stream = wire.send(chat(gateway, stream=True)).answer()
        assert stream.chunked and stream.body.endswith(b"data: [DONE]\n\n")
        assert wire.send(head(gateway, *MODELS)).answer().status == 200
    assert [closed.status for closed in gateway.journal.closed] == [200, 200]
    until(lambda: gateway.idle)


def test_refusals_without_and_with_a_body(start: StartGateway) -> None:
    gateway = start(limits=Limits(max_body_bytes=1000))
    with Wire(gateway) as wire:
        answer = wire.send(head(gateway, "GET", "/v1/nothing")).answer()
        assert (answer.status, answer.code) == (404, "endpoint_not_supported")
    with Wire(gateway) as wire:
        answer = wire.send(chat(gateway).replace(gateway.secret.encode(), b"nothing")).answer()
        assert (answer.status, answer.code) == (401, "invalid_key")
    for lines, body in (
        (("content-length: 1001",), b"x" * 1001),
        (("transfer-encoding: chunked",), b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
    ):
        with Wire(gateway) as wire:
            answer = wire.send(head(gateway, *BODY, *lines) + body).answer()
            assert (answer.status, answer.code) == (413, "request_too_large")
    until(lambda: [line.status for line in gateway.observed.lines] == [404, 401, 413, 413])


def test_head_and_options(start: StartGateway) -> None:
    gateway = start()
    with Wire(gateway) as wire:
        seen = wire.send(head(gateway, "HEAD", "/v1/models")).answer(head_only=True)
        assert int(seen.headers["content-length"]) > 2
        options = wire.send(head(gateway, "OPTIONS", "/v1/models")).answer()
        assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert wire.send(head(gateway, *MODELS)).answer().status == 200


def test_a_body_that_stops_and_a_client_that_goes(start: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start(limits=Limits(body_idle_s=0.2))
    upstream.script(Plan(hang=2))
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, *BODY, "content-length: 100") + b"{").answer().status == 408
    with Wire(gateway) as wire:
        wire.send(chat(gateway, stream=True))
        assert b"200 OK" in wire.some()
        wire.hang_up()
        until(lambda: gateway.idle)
    [closed] = gateway.journal.closed
    assert (closed.status, closed.estimated) == (499, True)


def test_a_client_that_does_not_read(start: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start(limits=Limits(write_timeout_s=0.3))
    upstream.script(Plan(huge=100 << 20))
    with Wire(gateway, receive_buffer=4096) as wire:
        wire.send(chat(gateway, stream=True))
        [closed] = until(lambda: gateway.journal.closed)
    assert (closed.status, closed.code) == (499, "client_stalled")


def test_a_stream_that_the_process_ends(start: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start()
    upstream.script(Plan(hang=2))
    with Wire(gateway) as wire:
        wire.send(chat(gateway, stream=True))
        assert b"200 OK" in wire.some()
        assert gateway.loop is not None
        asyncio.run_coroutine_threadsafe(gateway.runtime.close(0.1), gateway.loop).result(10)
        said = wire.some()
        while b"0\r\n\r\n" not in said:
            said += wire.some()
        assert b"shutting_down" in said and b"[DONE]" not in said
