"""The pool: its limit, its queue, what it keeps, and that nothing is lost whoever gives up when."""

import asyncio
import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError
from gateway.http.client import HttpUpstream
from gateway.http.connection import Connection
from gateway.http.pool import KEEP_ALIVE_S, BusyError, Pool
from tests.gateway.http.fakes import FakeTransport, dial
from tests.gateway.http.provider import HELLO, Line, Provider, body_of, settled


def end_of_time() -> float:
    """Return a moment at which every idle connection is too old."""
    return asyncio.get_running_loop().time() + KEEP_ALIVE_S


async def test_the_last_one_put_back_is_the_first_taken() -> None:
    pool = Pool(9, 1.0, dial)
    connections = [await pool.connect() for _ in range(3)]
    for connection in connections:
        pool.put(connection)
    assert [pool.take(0.0) for _ in range(4)] == [*reversed(connections), None]


async def test_calls_beyond_the_limit_wait_in_order() -> None:
    pool = Pool(2, 1.0, dial)
    held = [await pool.connect(), await pool.connect()]
    served: list[int] = []

    async def call(number: int) -> None:
        connection = await pool.connect()
        served.append(number)
        await asyncio.sleep(0)
        pool.put(connection)

    calls = [asyncio.create_task(call(number)) for number in range(6)]
    await asyncio.sleep(0)
    assert (pool.waiting, len(pool), served) == (6, 2, [])
    pool.put(held.pop())
    await asyncio.gather(*calls)
    assert served == [0, 1, 2, 3, 4, 5]
    assert (len(pool), pool.idle) == (2, 1)


async def test_whoever_waits_too_long_is_told_so() -> None:
    pool = Pool(1, 0.02, dial)
    held = await pool.connect()
    with pytest.raises(BusyError):
        await pool.connect()
    assert pool.waiting == 0
    pool.put(held)
    assert await pool.connect() is held


async def test_a_dial_that_takes_too_long_frees_its_place() -> None:
    async def never(connection: Connection) -> None:
        await asyncio.Event().wait()

    pool = Pool(1, 0.02, never)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await pool.connect()
    assert len(pool) == 0


async def test_a_lost_connection_gives_its_place_to_who_waits() -> None:
    pool = Pool(1, 1.0, dial)
    held = await pool.connect()
    waiting = asyncio.create_task(pool.connect())
    await asyncio.sleep(0)
    held.abort()
    fresh = await waiting
    assert fresh is not held and fresh.dialled and not fresh.closed
    assert len(pool) == 1


async def test_what_is_lost_between_handing_over_and_taking_is_replaced() -> None:
    pool = Pool(1, 1.0, dial)
    held = await pool.connect()
    waiting = asyncio.create_task(pool.connect())
    await asyncio.sleep(0)
    pool.put(held)
    held.eof_received()
    fresh = await waiting
    assert fresh is not held and not fresh.closed


async def test_a_caller_cancelled_at_the_moment_of_handing_over_passes_it_on() -> None:
    pool = Pool(1, 1.0, dial)
    held = await pool.connect()
    first, second = asyncio.create_task(pool.connect()), asyncio.create_task(pool.connect())
    await asyncio.sleep(0)
    pool.put(held)
    first.cancel()
    assert await second is held
    with pytest.raises(asyncio.CancelledError):
        await first
    pool.put(held)
    assert (len(pool), pool.idle, pool.waiting) == (1, 1, 0)


async def test_idle_connections_are_closed_after_a_while_and_no_others() -> None:
    pool = Pool(9, 1.0, dial)
    used, idle = await pool.connect(), await pool.connect()
    pool.put(idle)
    pool.sweep(end_of_time() - 1.0)
    assert pool.idle == 1
    pool.sweep(end_of_time())
    assert idle.closed and not used.closed
    assert (len(pool), pool.idle) == (1, 0)


async def test_closing_ends_everything() -> None:
    dialling = asyncio.Event()

    async def slow(connection: Connection) -> None:
        if dialling.is_set():
            await asyncio.sleep(0.01)
        await dial(connection)

    pool = Pool(3, 1.0, slow)
    used, idle = await pool.connect(), await pool.connect()
    pool.put(idle)
    dialling.set()
    taken = await pool.connect()
    assert taken is idle
    under_way = [asyncio.create_task(pool.connect()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.close()
    pool.close()
    assert used.closed and idle.closed
    assert [type(error) for error in await asyncio.gather(*under_way, return_exceptions=True)] == [
        ConnectionAbortedError,
        ConnectionAbortedError,
    ]
    with pytest.raises(ConnectionAbortedError):
        await pool.connect()
    assert (len(pool), pool.waiting) == (0, 0)


async def test_a_connection_put_back_into_a_closed_pool_is_closed() -> None:
    pool = Pool(3, 1.0, dial)
    connection = await pool.connect()
    pool.close()
    pool.put(connection)
    assert connection.closed and pool.idle == 0


async def test_a_goodbye_that_the_loop_has_not_read_yet_is_seen_after_a_while() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pool = Pool(3, 1.0, dial)
        connection = await pool.connect()
        connection._transport.socket = ours  # type: ignore[attr-defined]  # a FakeTransport
        pool.put(connection)
        assert connection.usable(connection.idle_since + 5.0)
        theirs.close()
        assert connection.usable(connection.idle_since + 0.5), "not looked at so soon"
        assert pool.take(connection.idle_since + 5.0) is None
        assert connection.closed and len(pool) == 0


steps = st.lists(st.tuples(st.sampled_from(["call", "finish", "lose", "cancel", "turn", "sweep"]), st.integers(0, 9)))


@given(steps, st.integers(1, 3))
def test_nothing_leaks_in_any_order_of_events(script: list[tuple[str, int]], limit: int) -> None:
    asyncio.run(_played(script, limit))


async def _played(script: list[tuple[str, int]], limit: int) -> None:
    pool, rng = Pool(limit, 5.0, dial), random.Random(1)
    calls: list[asyncio.Task[None]] = []
    held: dict[asyncio.Task[None], asyncio.Future[str]] = {}
    connections: set[Connection] = set()

    async def call() -> None:
        task = asyncio.current_task()
        connection = pool.take(asyncio.get_running_loop().time()) or await pool.connect()
        assert connection.dialled and not connection.closed and connection not in connections
        connections.add(connection)
        future = held[task] = asyncio.get_running_loop().create_future()  # type: ignore[index]
        how = "lose"
        try:
            how = await future
        finally:
            connections.discard(connection)
            if how == "finish" and not connection.closed:
                pool.put(connection)
            else:
                connection.abort()

    for action, number in script:
        waiting = [future for future in held.values() if not future.done()]
        if action == "call":
            calls.append(asyncio.create_task(call()))
        elif action in {"finish", "lose"} and waiting:
            waiting[number % len(waiting)].set_result(action)
        elif action == "cancel" and calls:
            calls[number % len(calls)].cancel()
        elif action == "sweep":
            pool.sweep(end_of_time())
        else:
            await asyncio.sleep(0)
        assert len(pool) <= limit
    while not all(call.done() for call in calls):
        for future in held.values():
            if not future.done():
                future.set_result(rng.choice(["finish", "lose"]))
        await asyncio.sleep(0)
    for result in await asyncio.gather(*calls, return_exceptions=True):
        assert result is None or isinstance(result, asyncio.CancelledError)
    assert pool.waiting == 0 and len(pool) == pool.idle <= limit
    pool.sweep(end_of_time())
    assert len(pool) == 0


@pytest.mark.parametrize("seed", range(5))
async def test_five_hundred_calls_at_once_with_people_giving_up(upstream: HttpUpstream, seed: int) -> None:
    rng = random.Random(seed)
    most = 0

    async def serve(line: Line) -> None:
        nonlocal most
        while True:
            await line.request()
            most = max(most, *(len(pool) for _, pool in upstream.pools()))
            await asyncio.sleep(rng.random() / 500)
            await line.send(HELLO)
            if rng.random() < 0.05:
                return

    async def call(number: int) -> bytes:
        await asyncio.sleep(rng.random() / 20)
        response = await upstream.open(provider.ask(b"%d" % number, max_connections=50, connect_timeout_s=30.0))
        return await body_of(response)

    async with Provider(serve) as provider:
        calls = [asyncio.create_task(call(number)) for number in range(500)]
        for task in rng.sample(calls, 200):
            asyncio.get_running_loop().call_later(rng.random() / 10, task.cancel)
        results = await asyncio.gather(*calls, return_exceptions=True)
        [(_, pool)] = upstream.pools()
        assert pool.waiting == 0
        assert len(pool) == pool.idle <= 50
        await settled(lambda: provider.alive == len(pool))
        pool.sweep(end_of_time())
        assert len(pool) == 0
        await settled(lambda: provider.alive == 0)
    assert most <= 50
    assert {type(result) for result in results} <= {bytes, asyncio.CancelledError, UpstreamError}
    assert sum(result == b"hello" for result in results) >= 250


async def test_a_provider_that_hangs_harms_no_other(upstream: HttpUpstream) -> None:
    async def hang(line: Line) -> None:
        await line.gone()

    async with Provider(hang) as hung, Provider() as other:
        stuck = [
            asyncio.create_task(upstream.open(hung.ask(provider_id="hung", max_connections=2, connect_timeout_s=0.05)))
            for _ in range(10)
        ]
        for _ in range(20):
            request = other.ask(provider_id="other", max_connections=2)
            assert await body_of(await upstream.open(request)) == b"hello"
        await settled(lambda: sum(task.done() for task in stuck) == 8)
        for task in stuck:
            task.cancel()
        ended = await asyncio.gather(*stuck, return_exceptions=True)
    busy = [error for error in ended if isinstance(error, UpstreamError)]
    assert len(busy) == 8
    assert {(error.sent, error.code, error.retry) for error in busy} == {(False, "upstream_unreachable", True)}
    assert "All 2 connections" in busy[0].message


async def test_new_settings_make_a_new_pool_and_the_old_one_ends_with_its_calls(upstream: HttpUpstream) -> None:
    async def serve(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await go.wait()
        await line.send(b"hello")
        await line.gone()

    go = asyncio.Event()
    async with Provider(serve) as provider:
        before = await upstream.open(provider.ask(max_connections=1))
        after = await upstream.open(provider.ask(max_connections=2))
        go.set()
        assert (await body_of(before), await body_of(after)) == (b"hello", b"hello")
        for _, pool in upstream.pools():
            pool.sweep(end_of_time())
        upstream._sweep()
        assert upstream.pools() == []


async def test_reading_stops_at_128_kib_and_goes_on_when_they_are_read() -> None:
    from gateway.http.exchange import Exchange

    pool = Pool(1, 1.0, dial)
    connection = await pool.connect()
    transport: FakeTransport = connection._transport  # type: ignore[assignment]
    exchange = Exchange(connection, "acme")
    connection.begin(exchange, b"request")
    assert transport.written == b"request"
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    await exchange.head()
    unread = 0
    while transport.reading:
        connection.data_received(b"x" * 30_000)
        unread += 30_000
    assert 128 << 10 <= unread < (128 << 10) + 30_000
    while not transport.reading:
        unread -= len(await exchange.chunk())
    assert unread < 64 << 10
    exchange.close()
    assert connection.closed and len(pool) == 0
