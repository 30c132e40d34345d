"""What a client may not do for long, or too much of. The limits are small here; the mechanism is the same."""

import time
from contextlib import ExitStack

import pytest

from gateway.runtime import Limits
from tests.gateway.conftest import StartGateway
from tests.gateway.front.wire import Wire, chat, head, says
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan

MODELS = ("GET", "/v1/models")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("x-a: " + "a" * 70_000,), 431),
        (tuple(f"x-{number}: {'a' * 1000}" for number in range(70)), 431),
        (tuple(f"x-{number}: a" for number in range(130)), 431),
        (tuple(f"x-{number}: a" for number in range(100)), 200),
        (("x-a: " + "a" * 60_000,), 200),
    ],
)
def test_heads_have_a_size(gateway: LiveGateway, lines: tuple[str, ...], status: int) -> None:
    request = head(gateway, *MODELS, *lines)
    for pieces in ([request], [request[at : at + 3_000] for at in range(0, len(request), 3_000)]):
        with Wire(gateway) as wire:
            for piece in pieces:
                wire.send(piece)
            answer = wire.answer()
            assert (answer.status, answer.closes) == (status, status != 200)


def test_heads_that_never_end_have_one_too(gateway: LiveGateway) -> None:
    for start in (b"GET /", b"GET /v1/models HTTP/1.1\r\nx-a: ", b"GET /v1/models HTTP/1.1\r\nx-"):
        with Wire(gateway) as wire:
            answer = wire.send(start + b"a" * 70_000).answer()
            assert (answer.status, answer.closes) == (431, True)


def test_an_address_has_a_length(gateway: LiveGateway) -> None:
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, "GET", "/v1/" + "a" * 9_000)).answer().status == 414
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, "GET", "/v1/" + "a" * 7_000)).answer().status == 404


def test_what_follows_a_body_has_a_size(gateway: LiveGateway) -> None:
    start = head(gateway, "POST", "/v1/chat/completions", "transfer-encoding: chunked")
    for endless in (b"2\r\n{}\r\n0\r\nx-trailer: ", b"2\r\n{}\r\n5;a="):
        with Wire(gateway) as wire:
            wire.send(start + endless)
            answer = wire.send(b"a" * 400_000).answer()
            assert (answer.status, answer.closes) == (431, True)


def test_who_says_nothing_is_closed(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(head_s=0.2))
    with Wire(gateway) as wire:
        assert wire.closed()


def test_who_sends_a_head_slowly_is_closed_however_busy_it_looks(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(head_s=0.3))
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, *MODELS)).answer().status == 200
        answers = []
        began = time.monotonic()
        for byte in head(gateway, *MODELS, "x-a: " + "a" * 200):
            wire.send(bytes([byte]))
            time.sleep(0.01)
            if time.monotonic() - began > 0.5:
                answers.append(wire.answer())
                break
        assert (answers[0].status, answers[0].code, answers[0].closes) == (408, "request_timeout", True)


def test_who_sends_a_body_slowly_is_told_so(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(body_idle_s=0.2))
    for length in (100, 200_000):  # one waits for the rest in the connection, the other in the pipeline
        with Wire(gateway) as wire:
            wire.send(head(gateway, "POST", "/v1/chat/completions", f"content-length: {length}") + b'{"model"')
            answer = wire.answer()
            assert (answer.status, answer.code, answer.closes) == (408, "request_timeout", True)
    until(lambda: [line.status for line in gateway.observed.lines] == [408, 408])


def test_who_sends_a_body_in_drops_is_told_so(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(head_s=0.1, body_idle_s=0.2, body_min_bytes_s=100_000))
    with Wire(gateway) as wire:
        wire.send(head(gateway, "POST", "/v1/chat/completions", "content-length: 200000"))
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            wire.send(b" ")
            time.sleep(0.02)
        assert wire.answer().status == 408


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(limits=Limits(head_s=0.1, keep_alive_s=0.1, body_idle_s=0.1))
    upstream.script(Plan(delay=0.5), Plan(chunks=5, chunk_delay=0.15))
    with Wire(gateway) as wire:
        assert wire.send(chat(gateway)).answer().status == 200
        assert wire.send(chat(gateway, stream=True)).answer().body.endswith(b"[DONE]\n\n")
        assert wire.closed()


def test_who_was_answered_before_its_body_came_is_not_forgotten(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(keep_alive_s=0.1))
    with Wire(gateway) as wire:
        start = head(gateway, "POST", "/elsewhere", "content-length: 100000")  # by ASGI, which answers at the head
        assert wire.send(start).answer().status == 404
        assert wire.send(b" " * 100_000).closed()


def test_many_slow_clients_are_closed_and_others_served_meanwhile(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(head_s=1.0))
    with ExitStack() as stack:
        slow = [stack.enter_context(Wire(gateway)).send(b"POST /v1/chat/comp") for _ in range(300)]
        normal = stack.enter_context(Wire(gateway))
        assert [normal.send(chat(gateway)).answer().status for _ in range(50)] == [200] * 50
        assert {wire.answer().status for wire in slow} == {408}


def test_a_client_that_does_not_read_holds_little_and_is_let_go(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(limits=Limits(write_timeout_s=0.5))
    upstream.script(Plan(huge=100 << 20))
    held = 0
    with Wire(gateway, receive_buffer=4096) as wire:
        wire.send(chat(gateway, stream=True))
        until(lambda: gateway.runtime.in_flight)
        while gateway.runtime.in_flight:
            held = max([held, *(connection.transport.get_write_buffer_size() for connection in gateway.connections)])
            time.sleep(0.002)
    assert 0 < held < 2 << 20
    [closed] = gateway.journal.closed
    assert (closed.status, closed.code) == (499, "client_stalled")
    until(lambda: not gateway.connections)


def test_a_whole_answer_that_nobody_reads_is_let_go(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(limits=Limits(keep_alive_s=0.2, write_timeout_s=0.2))
    upstream.script(Plan(huge=20 << 20))
    with Wire(gateway, receive_buffer=4096) as wire:
        wire.send(chat(gateway))
        until(lambda: gateway.journal.closed, within_s=20)
        until(lambda: not gateway.connections, within_s=5)


def test_one_connection_too_many_is_told_to_come_again(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(max_connections=3))
    with ExitStack() as stack:
        inside = [stack.enter_context(Wire(gateway)) for _ in range(3)]
        until(lambda: len(gateway.connections) == 3)
        late = stack.enter_context(Wire(gateway))
        answer = late.answer()
        assert (answer.status, answer.code, answer.closes) == (503, "overloaded", True)
        assert answer.headers["retry-after"] == "1"
        assert late.closed()
        for wire in inside:
            assert wire.send(head(gateway, *MODELS)).answer().status == 200
    until(lambda: not gateway.connections)
    with Wire(gateway) as wire:
        assert wire.send(head(gateway, *MODELS)).answer().status == 200


def test_far_too_many_connections_are_not_even_talked_to(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(max_connections=8))
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(gateway)) for _ in range(30)]
        ends = [wire.rest() for wire in wires[8:]]
        assert b"" in ends
        assert {end[:12] for end in ends} <= {b"", b"HTTP/1.1 503"}
        assert wires[0].send(head(gateway, *MODELS)).answer().status == 200


def test_a_full_process_refuses_without_looking_and_keeps_the_connection(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(limits=Limits(max_in_flight=1))
    upstream.script(Plan(delay=1.0))
    with Wire(gateway) as first, Wire(gateway) as second:
        first.send(chat(gateway))
        until(lambda: gateway.runtime.in_flight)
        request = chat(gateway).replace(gateway.secret.encode(), b"nothing")
        for _ in range(3):
            answer = second.send(request).answer()  # not 401: nobody asked
            assert (answer.status, answer.code, answer.closes) == (503, "overloaded", False)
            assert answer.headers["retry-after"] == "1"
        giant = second.send(head(gateway, "POST", "/v1/chat/completions", "content-length: 1000000")).answer()
        assert (giant.status, giant.closes) == (503, True)
        assert first.answer().status == 200
        assert first.send(chat(gateway)).answer().status == 200
    until(lambda: [line.code for line in gateway.observed.lines].count("overloaded") == 4)


def test_a_process_that_lags_refuses_every_second_call(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limits=Limits(max_lag_s=0.0))  # every call waits longer than that
    with Wire(gateway) as wire:
        began, statuses = time.monotonic(), []
        while time.monotonic() - began < 1.0 or len(statuses) < 20:
            answer = wire.send(head(gateway, *MODELS)).answer()
            statuses.append(answer.status)
            assert answer.status == 200 or (answer.code, answer.headers["retry-after"]) == ("overloaded", "1")
    assert statuses[0] == 200
    assert statuses[-10:] in ([200, 503] * 5, [503, 200] * 5)


def test_a_pipelined_head_must_come_in_time_too(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(limits=Limits(head_s=0.1))
    upstream.script(Plan(delay=0.5))
    with Wire(gateway) as wire:
        wire.send(chat(gateway, messages=says("first")) + b"GET /v1/mod")
        assert [wire.answer().status, wire.answer().status] == [200, 408]
        assert wire.closed()


def test_bodies_have_a_size_together(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(limits=Limits(max_held_bytes=1 << 20, max_lag_s=60.0))
    announced = head(gateway, "POST", "/v1/chat/completions", f"content-length: {600 << 10}")
    with Wire(gateway) as first, Wire(gateway) as second:
        first.send(announced + b" " * (500 << 10))
        assert until(lambda: gateway.runtime.held_bytes >= 500 << 10)
        answer = second.send(announced + b" " * (599 << 10)).answer()
        assert (answer.status, answer.closes) == (503, True)
        assert "as many bytes" in answer.body.decode()
        assert gateway.chat().status_code == 200, "a call of the usual size is served meanwhile"
        first.hang_up()
    assert until(lambda: gateway.runtime.held_bytes == 0)


def test_what_waits_behind_an_answer_is_let_go_with_its_connection(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    upstream.always(Plan(delay=5))
    gateway = start_gateway()
    with Wire(gateway) as wire:
        wire.send(chat(gateway) * 3)
        assert until(lambda: gateway.runtime.held_bytes > 0)
        wire.hang_up()
    assert until(lambda: gateway.runtime.held_bytes == 0)
