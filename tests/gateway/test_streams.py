"""Streamed chat: bytes as they come, metering that the client does not see, and every way to break off."""

import json
import socket
import time
from typing import Any

import pytest

from gateway.runtime import Limits
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan


def stream(gateway: LiveGateway, **changes: Any) -> tuple[int, list[Any], bytes]:
    """Make a streamed call; return status, the parsed events and the raw body."""
    body = {"model": "chat-small", "messages": HELLO, "stream": True, **changes}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as response:
        raw = response.read()
    if response.status_code != 200:
        return response.status_code, [json.loads(raw)], raw
    data = [line.removeprefix("data: ") for line in raw.decode().split("\n") if line.startswith("data: ")]
    return 200, ["[DONE]" if item == "[DONE]" else json.loads(item) for item in data], raw


def words(events: list[Any]) -> str:
    """Join the text that a stream carried."""
    return "".join(
        choice["delta"].get("content") or "" for event in events if "choices" in event for choice in event["choices"]
    )


def test_a_stream_is_relayed_metered_and_its_usage_chunk_hidden(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="one two three", prompt_tokens=11, completion_tokens=3))
    status, events, _ = stream(gateway)
    assert status == 200
    assert words(events) == "one two three"
    assert events[-1] == "[DONE]"
    assert all(event["choices"] for event in events[:-1])
    assert upstream.received[0].json()["stream_options"] == {"include_usage": True}
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (11, 3, False)
    assert closed.ttft_ms > 0


def test_a_usage_chunk_that_was_asked_for_arrives(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=11, completion_tokens=3))
    _, events, _ = stream(gateway, stream_options={"include_usage": True})
    assert events[-2]["usage"]["prompt_tokens"] == 11
    assert gateway.journal.closed[0].input_tokens == 11


def test_other_stream_options_survive(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    stream(gateway, stream_options={"include_usage": False, "include_obfuscation": False})
    assert upstream.received[0].json()["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_the_first_byte_leaves_before_the_provider_has_finished(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=4, chunk_delay=0.15))
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    arrivals = []
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as response:
        for _ in response.iter_raw():
            arrivals.append(time.monotonic())
    assert arrivals[-1] - arrivals[0] > 0.3


def test_a_reset_in_the_middle_is_an_error_event_and_the_partial_is_charged(
    gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(text="alpha beta gamma delta epsilon", cut=3))  # role, alpha, beta
    status, events, raw = stream(gateway)
    assert status == 200
    assert words(events) == "alpha beta"
    error = events[-1]["error"]
    assert (error["code"], error["source"]) == ("upstream_error", "gateway")
    assert b"[DONE]" not in raw
    assert not any(choice["finish_reason"] for event in events[:-1] for choice in event["choices"])
    [closed] = gateway.journal.closed
    assert closed.estimated
    assert closed.output_tokens == 2
    assert closed.cost_nano_usd > 0
    assert closed.code == "upstream_error"


def test_an_unfinished_stream_that_ends_politely_is_an_error_too(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=5, end=3))
    _, events, raw = stream(gateway)
    assert events[-1]["error"]["code"] == "upstream_error"
    assert b"[DONE]" not in raw


def test_an_error_after_some_words_is_passed_on_as_the_last_event(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=2, error_inside=True))
    _, events, raw = stream(gateway)
    assert events[-1]["error"]["source"] == "provider"
    assert "inside a stream" in events[-1]["error"]["message"]
    assert b"[DONE]" not in raw
    assert gateway.journal.closed[0].code == "provider_error"


def test_an_error_as_the_first_event_is_a_failure_with_a_status(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    body = b'data: {"error": {"message": "overloaded", "code": 529}}\n\n'
    upstream.script(Plan(raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + body))
    status, [answer], _ = stream(gateway)
    assert status == 529
    assert answer["error"]["message"] == "overloaded"
    assert gateway.journal.closed[0].cost_nano_usd == 0


def test_a_document_in_place_of_a_stream_is_a_failure(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    body = b'{"error": {"message": "no capacity", "type": "server_error"}}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    upstream.script(Plan(raw=head + body))
    status, [answer], _ = stream(gateway)
    assert status == 502
    assert answer["error"]["message"] == "no capacity"


def test_a_page_in_place_of_a_stream_is_a_failure(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"))
    status, [answer], _ = stream(gateway)
    assert (status, answer["error"]["code"]) == (502, "upstream_error")
    assert "did not stream" in answer["error"]["message"]


def test_connections_are_kept_after_streams(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(chunks=4, chunk_delay=0.05))  # long enough for the gateway to listen for a hang-up
    for _ in range(3):
        assert stream(gateway)[0] == 200
    assert len({received.connection for received in upstream.received}) == 1


def test_silence_ends_the_stream_with_an_error(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(deployment={"idle_timeout_s": 0.2})
    upstream.script(Plan(text="alpha beta gamma", hang=2))
    _, events, _ = stream(gateway)
    assert events[-1]["error"]["code"] == "upstream_idle_timeout"
    assert gateway.journal.closed[0].status == 504
    until(lambda: upstream.served[0].ended == "gone")


def test_a_client_that_hangs_up_closes_the_provider_and_is_recorded(
    gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(chunks=10_000, chunk_delay=0.02, text="tick " * 2000))
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as response:
        chunks = response.iter_raw()
        seen = b""
        while seen.count(b"tick") < 3:
            seen += next(chunks)
    left = time.monotonic()
    until(lambda: upstream.served[0].ended == "gone", within_s=3)
    assert upstream.served[0].ended_at - left < 2
    [closed] = until(lambda: gateway.journal.closed)
    assert (closed.status, closed.code, closed.estimated) == (499, "client_closed", True)
    assert 3 <= closed.output_tokens < 1000
    until(lambda: gateway.idle)


def test_hanging_up_before_the_usage_chunk_does_not_save_the_hidden_tokens(
    gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(text="tick " * 10, chunks=10, chunk_delay=0.1, completion_tokens=5000))
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as response:
        chunks, seen = response.iter_raw(), b""
        while seen.count(b"tick") < 7:
            seen += next(chunks)
    [closed] = until(lambda: gateway.journal.closed, within_s=3)
    assert (closed.code, closed.output_tokens, closed.estimated) == ("client_closed", 5000, False)
    until(lambda: gateway.idle)


def test_a_client_that_does_not_read_holds_up_the_provider_and_is_cut_off(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(limits=Limits(write_timeout_s=0.5))
    upstream.script(Plan(huge=100 << 20))
    body = json.dumps({"model": "chat-small", "messages": HELLO, "stream": True}).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % (gateway.secret.encode(), len(body), body)
        )
        [closed] = until(lambda: gateway.journal.closed, within_s=15)
    assert (closed.status, closed.code) == (499, "client_stalled")
    until(lambda: upstream.served[0].ended == "gone")
    assert upstream.served[0].sent_bytes < 20 << 20  # kernel buffers on both sides included


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_stream_is_unpacked(gateway: LiveGateway, upstream: FakeUpstream, encoding: str) -> None:
    upstream.script(Plan(text="one two three", encoding=encoding))
    status, events, _ = stream(gateway)
    assert (status, words(events)) == (200, "one two three")


def test_usage_is_counted_when_the_provider_ignores_the_option(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="one two three four", usage="none"))
    _, events, _ = stream(gateway)
    assert events[-1] == "[DONE]"
    [closed] = gateway.journal.closed
    assert closed.estimated
    assert closed.output_tokens == 4
