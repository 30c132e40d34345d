"""HTTP/1.1 as RFC 9112 wants it: every way to frame a request and a response, on one connection after the other."""

import json
import re
import threading

import pytest

from tests.gateway.front.wire import Wire, chat, head, says
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan

MODELS = ("GET", "/v1/models")


def test_requests_follow_each_other_on_one_connection(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        for _ in range(3):
            answer = wire.send(chat(gateway)).answer()
            assert answer.status == 200 and not answer.closes
            assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["date"])


def test_a_request_may_be_split_anywhere(gateway: LiveGateway) -> None:
    request = head(gateway, *MODELS)
    with Wire(gateway) as wire:
        for cut in range(1, len(request)):
            wire.send(request[:cut])
            wire.send(request[cut:])
            assert wire.answer().status == 200


def test_a_request_may_come_byte_by_byte(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with Wire(gateway) as wire:
        for byte in chat(gateway):
            wire.send(bytes([byte]))
        assert wire.answer().status == 200
    assert len(upstream.received) == 1


def test_pipelined_requests_are_answered_in_order(gateway: LiveGateway) -> None:
    calls = [chat(gateway, messages=says(f"fake:prompt_tokens={number} fake:delay=0.05")) for number in (11, 12)]
    calls.insert(1, head(gateway, *MODELS))
    with Wire(gateway) as wire:
        first, models, second = (wire.send(b"".join(calls)), wire)[1].answer(), wire.answer(), wire.answer()
    assert json.loads(first.body)["usage"]["prompt_tokens"] == 11
    assert json.loads(models.body)["object"] == "list"
    assert json.loads(second.body)["usage"]["prompt_tokens"] == 12


def test_paths_of_both_lanes_follow_each_other(gateway: LiveGateway) -> None:
    elsewhere = head(gateway, "GET", "/elsewhere")  # goes to ASGI, where nothing but the gateway is
    models, call = head(gateway, *MODELS), chat(gateway)
    with Wire(gateway) as wire:
        wire.send(elsewhere + models + elsewhere + call + elsewhere)
        assert [wire.answer().status for _ in range(5)] == [404, 200, 404, 200, 404]
        for request, status in ((models, 200), (elsewhere, 404), (call, 200)):
            assert wire.send(request).answer().status == status


def test_pipelining_has_a_limit(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        wire.send(chat(gateway, messages=says("fake:delay=0.1")) + head(gateway, *MODELS) * 30)
        statuses = [wire.answer().status for _ in range(18)]
        assert statuses == [200] * 17 + [400]
        assert wire.closed()


def test_a_stream_is_chunked_and_the_connection_goes_on(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        answer = wire.send(chat(gateway, stream=True)).answer()
        assert answer.chunked and "content-length" not in answer.headers
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert wire.send(head(gateway, *MODELS)).answer().status == 200


def test_http_1_0_gets_a_plain_body_that_ends_with_the_connection(gateway: LiveGateway) -> None:
    request = chat(gateway, stream=True).replace(b"HTTP/1.1", b"HTTP/1.0")
    with Wire(gateway) as wire:
        answer = wire.send(request).answer()
        assert answer.status == 200 and answer.closes and not answer.chunked
        assert answer.body.startswith(b"data: {") and answer.body.endswith(b"data: [DONE]\n\n")
    with Wire(gateway) as wire:
        answer = wire.send(head(gateway, *MODELS).replace(b"HTTP/1.1", b"HTTP/1.0")).answer()
        assert answer.closes and int(answer.headers["content-length"]) == len(answer.body)
        assert wire.closed()


def test_connection_close_is_heeded(gateway: LiveGateway) -> None:
    for request in (head(gateway, *MODELS, "connection: close"), chat(gateway, "connection: close", stream=True)):
        with Wire(gateway) as wire:
            assert wire.send(request).answer().closes
            assert wire.closed()


def test_head_and_options(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        seen = wire.send(head(gateway, "HEAD", "/v1/models")).answer(head_only=True)
        whole = wire.send(head(gateway, *MODELS)).answer()
        assert seen.headers["content-length"] == str(len(whole.body))
        options = wire.send(head(gateway, "OPTIONS", "/v1/models")).answer()
        assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert "content-length" not in options.headers
        assert wire.send(head(gateway, *MODELS)).answer().status == 200


def chunked(body: bytes, size: int) -> bytes:
    """Return `body` in chunks of `size`, with an extension and a trailer."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nx-trailer: 1\r\n\r\n"


@pytest.mark.parametrize("length", [10, 300_000])
def test_a_chunked_body_is_put_together(gateway: LiveGateway, upstream: FakeUpstream, length: int) -> None:
    body = json.dumps({"model": "chat-small", "messages": says("x" * length)}).encode()
    start = head(gateway, "POST", "/v1/chat/completions", "transfer-encoding: Chunked")
    with Wire(gateway) as wire:
        assert wire.send(start + chunked(body, 7_001)).answer().status == 200
        assert upstream.received[0].json()["messages"] == says("x" * length)
        assert (
            wire.send(start + chunked(body, 90_000)).answer().status == 200
        )  # the trailer was not taken for a request


def test_a_large_body_is_taken_whole(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    text = "y" * (5 << 20)
    with Wire(gateway) as wire:
        answer = wire.send(chat(gateway, messages=says(text))).answer()
        assert answer.status == 400 and answer.code == "context_length_exceeded"
        assert wire.send(head(gateway, *MODELS)).answer().status == 200
    assert not upstream.received


def test_who_expects_100_continue_is_told_to_go_on(gateway: LiveGateway) -> None:
    start, _, body = chat(gateway, "expect: 100-continue").partition(b"\r\n\r\n")
    with Wire(gateway) as wire:
        assert wire.send(start + b"\r\n\r\n").some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.send(body).answer().status == 200


def test_who_expects_100_continue_is_refused_without_a_body(gateway: LiveGateway) -> None:
    start = chat(gateway, "expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with Wire(gateway) as wire:
        answer = wire.send(start.replace(gateway.secret.encode(), b"nothing")).answer()
        assert (answer.status, answer.closes) == (401, True)


def test_strangers_and_giants_are_refused_before_their_body_comes(gateway: LiveGateway) -> None:
    start = head(gateway, "POST", "/v1/chat/completions", f"content-length: {27 << 20}")
    for request, status in ((start, 413), (start.replace(gateway.secret.encode(), b"nothing"), 401)):
        with Wire(gateway) as wire:
            answer = wire.send(request).answer()
            assert (answer.status, answer.closes) == (status, True)
    with Wire(gateway) as wire:  # who sends it all the same can still read the answer
        assert wire.send(start + b" " * (27 << 20)).answer().status == 413
        assert wire.closed()


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_the_offer_of_another_protocol_is_declined(gateway: LiveGateway, upstream: FakeUpstream, offer: str) -> None:
    lines = ("connection: Upgrade, HTTP2-Settings", f"upgrade: {offer}", "http2-settings: AAMAAABk")
    with Wire(gateway) as wire:
        assert wire.send(chat(gateway, *lines)).answer().status == 200
        assert wire.send(head(gateway, *MODELS, *lines) + chat(gateway)).answer().status == 200
        assert wire.answer().status == 200
    assert len(upstream.received) == 2


@pytest.mark.parametrize("path", ["/v1/%6dodels", "/v1/models?api-version=1", "http://x/v1/models", "/v1/models#a"])
def test_ways_to_write_a_path(gateway: LiveGateway, path: str) -> None:
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, "GET", path)).answer().status == 200


def test_who_hangs_up_in_a_stream_is_noticed_at_once(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=3, hang=2))
    with Wire(gateway) as wire:
        wire.send(chat(gateway, stream=True))
        assert b"200 OK" in wire.some()
        wire.hang_up()
        until(lambda: gateway.idle)
    [closed] = gateway.journal.closed
    assert (closed.status, closed.estimated) == (499, True)


def test_who_hangs_up_before_the_answer_and_in_the_body(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(delay=30))
    with Wire(gateway) as wire:
        wire.send(chat(gateway))
        until(lambda: upstream.received)
        wire.hang_up()
        until(lambda: gateway.journal.closed)
    with Wire(gateway) as wire:
        wire.send(head(gateway, "POST", "/v1/chat/completions", "content-length: 100000") + b"{")
        until(lambda: gateway.runtime.in_flight)
        wire.hang_up()
        until(lambda: gateway.idle)
    assert len(upstream.received) == 1


def test_many_connections_at_once_keep_their_answers_apart(gateway: LiveGateway) -> None:
    wrong: list[int] = []

    def one(number: int) -> None:
        with Wire(gateway) as wire:
            for streamed in (False, True, False):
                request = chat(gateway, messages=says(f"fake:text=n{number} fake:delay=0.01"), stream=streamed)
                if f"n{number}".encode() not in wire.send(request).answer().body:
                    wrong.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(100, 140)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    until(lambda: gateway.idle)
