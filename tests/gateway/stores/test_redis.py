"""The Redis store: the same answers as memory, over many processes, and a conservative share while Redis is away."""

import asyncio
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gateway.quotas.interface import RateStore, Remaining
from gateway.stores.memory import MemoryRateStore
from gateway.stores.redis import TIMEOUT_S, RedisRateStore
from tests.gateway.stores.quotas import NOW, quota
from tests.services.processes import free_port, wait_until
from tests.services.redis import binary

requests = quota("r1", capacity=10)
tokens = quota("t1", "total_tokens", 1000)
places = quota("c1", "concurrent", 8)
POOL = [requests, tokens, quota("r2", "requests", 3, "second"), places, quota("c2", "concurrent", 1)]
MINUTE = 1_800_000_000
ONCE_S = 5.0  # a paused server is not waited for; how short the moment is, the benchmark says


@pytest.fixture
async def store(fresh_redis: str) -> AsyncIterator[RedisRateStore]:
    made = RedisRateStore(fresh_redis, prefix=uuid.uuid4().hex)
    yield made
    await made.aclose()


async def until(condition: Any, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


_asks = st.lists(st.tuples(st.sampled_from(POOL), st.integers(0, 400)), max_size=4, unique_by=lambda ask: ask[0].id)
_operation = st.tuples(st.just("take"), _asks, st.sampled_from([0.0, 0.3, 1.0, 20.0, 61.0])) | st.tuples(
    st.just("back"), st.integers(0, 50), st.sampled_from([-50, 0, 1, 100])
)


@given(st.lists(_operation, max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_it_answers_as_memory_does(fresh_redis: str, operations: list[Any]) -> None:
    shared = RedisRateStore(fresh_redis, prefix=uuid.uuid4().hex, timeout_s=5)
    stores: tuple[RateStore, RateStore] = (MemoryRateStore(), shared)
    now = NOW
    taken: list[tuple[Any, int, int]] = []
    try:
        for kind, what, how in operations:
            if kind == "take":
                now += how
                asks = [(item, min(amount, 3) if item.metric != "total_tokens" else amount) for item, amount in what]
                first, second = [await store.take(asks, now) for store in stores]
                assert first == second
                if isinstance(first, list):
                    length = {"minute": 60, "second": 1}
                    taken += [(item, int(now // length[item.window]) * length[item.window], n) for item, n in asks]
            elif taken:
                item, start, amount = taken.pop(what % len(taken))
                amount = amount if item.metric == "concurrent" else min(amount, how)
                for store in stores:
                    await store.give_back([(item, start, amount)], now)
            first, second = [await store.peek(POOL, now) for store in stores]
            assert first == second
        assert not shared.degraded
    finally:
        await shared.aclose()


async def test_many_takers_over_two_processes_get_exactly_what_is_there(fresh_redis: str) -> None:
    stores = [RedisRateStore(fresh_redis, prefix="two", timeout_s=5) for _ in range(2)]
    asks = [(quota("r", capacity=100), 1), (quota("c", "concurrent", 70), 1)]
    answers = await asyncio.gather(*(stores[n % 2].take(asks, NOW) for n in range(300)))
    granted = [answer for answer in answers if isinstance(answer, list)]
    assert len(granted) == 70
    assert (await stores[0].peek([asks[0][0]], NOW))[0].left == 30
    for store in stores:
        await store.aclose()


async def test_every_key_expires_and_shares_one_hash_slot(store: RedisRateStore, fresh_redis: str) -> None:
    await store.take([(item, 1) for item in POOL], time.time())
    client = Redis.from_url(fresh_redis, decode_responses=True)
    keys: Any = client.keys()
    assert len(keys) == len(POOL)
    assert all(0 < client.pttl(key) <= 130_000 for key in keys)  # type: ignore[operator]
    assert len({key.split("}")[0] for key in keys}) == 1
    client.close()


async def test_scripts_that_redis_forgot_are_sent_again(store: RedisRateStore, fresh_redis: str) -> None:
    await store.take([(requests, 1)], NOW)
    client = Redis.from_url(fresh_redis)
    client.script_flush()
    client.close()
    assert (await store.take([(requests, 1)], NOW))[0].left == 8  # type: ignore[index]
    assert not store.degraded


async def test_slots_of_a_dead_process_are_freed_and_those_of_a_living_one_kept(fresh_redis: str) -> None:
    dead, living = (RedisRateStore(fresh_redis, prefix="slots", timeout_s=5, slot_s=0.6) for _ in range(2))
    await dead.take([(places, 5)], NOW)
    await living.take([(places, 3)], NOW)
    assert isinstance(await living.take([(places, 1)], NOW), Remaining)
    assert dead._tending is not None
    dead._tending.cancel()  # its heartbeat stops: the process is gone
    left = 0
    deadline = time.monotonic() + 10
    while left == 0 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        left = (await living.peek([places], NOW))[0].left
    assert left == 5
    await asyncio.sleep(1.0)  # well beyond the expiry of a slot without a heartbeat
    assert (await living.peek([places], NOW))[0].left == 5
    await living.aclose()
    await dead.aclose()


async def test_slots_are_declared_again_after_redis_lost_its_memory(fresh_redis: str) -> None:
    store = RedisRateStore(fresh_redis, prefix="flush", timeout_s=5, slot_s=0.6)
    await store.take([(places, 5)], NOW)
    client = Redis.from_url(fresh_redis)
    client.flushdb()
    client.close()
    deadline = time.monotonic() + 10
    while (await store.peek([places], NOW))[0].left != 3:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await store.give_back([(places, 0, 5)], NOW)
    assert (await store.peek([places], NOW))[0].left == 8
    await store.aclose()


async def test_a_process_that_ends_gives_its_slots_up_at_once(fresh_redis: str) -> None:
    ending, other = (RedisRateStore(fresh_redis, prefix="end", timeout_s=5) for _ in range(2))
    await ending.take([(places, 8)], NOW)
    await ending.aclose()
    assert (await other.peek([places], NOW))[0].left == 8
    await other.aclose()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A Redis that a test may stop and kill: its address and process id."""
    port = free_port()
    process = subprocess.Popen(
        [binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: _listens(port), what="start of Redis")
    yield f"redis://127.0.0.1:{port}/0", process.pid
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait(10)


def test_the_timeout_keeps_what_is_promised() -> None:
    assert TIMEOUT_S <= 0.25


async def test_a_paused_redis_costs_a_moment_once_and_a_share_is_handed_out(own_redis: tuple[str, int]) -> None:
    url, pid = own_redis
    store = RedisRateStore(url)
    assert isinstance(await store.take([(tokens, 100), (places, 1)], NOW), list)
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    first = await store.take([(tokens, 200), (places, 1)], NOW)
    assert isinstance(first, list)
    assert time.monotonic() - begin < ONCE_S
    assert store.degraded
    assert [item.limit for item in first] == [250, 2]  # a quarter
    begin = time.monotonic()
    refused = await store.take([(tokens, 100)], NOW)
    assert isinstance(refused, Remaining)
    assert isinstance(await store.take([(places, 1)], NOW), Remaining)  # the one from before the outage counts
    await store.give_back([(tokens, MINUTE, 100), (places, 0, 1)], NOW)
    assert time.monotonic() - begin < 1.0  # three calls that ask nobody
    os.kill(pid, signal.SIGCONT)
    await until(lambda: not store.degraded)
    # What was taken before the pause is given back late; the call that timed out may have been counted by Redis too.
    left = await store.peek([tokens, places], NOW)
    assert 800 - 200 <= left[0].left <= 1000
    await until(lambda: store._tending is not None and not store._tending.done())
    assert left[1].left == 7
    await store.aclose()


async def test_a_killed_redis_degrades_and_a_new_one_is_found(tmp_path: Path) -> None:
    port = free_port()
    command = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    store = RedisRateStore(f"redis://127.0.0.1:{port}/0")
    begin = time.monotonic()
    assert isinstance(await store.take([(requests, 2)], NOW), list)  # nothing listens yet
    assert time.monotonic() - begin < ONCE_S
    assert store.degraded
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.DEVNULL)
    try:
        await until(lambda: not store.degraded)
        answer = await store.take([(requests, 10)], NOW)
        assert isinstance(answer, list)
        assert answer[0].limit == 10
    finally:
        await store.aclose()
        process.kill()
        process.wait(10)


async def test_what_is_given_back_during_an_outage_reaches_redis_afterwards(own_redis: tuple[str, int]) -> None:
    url, pid = own_redis
    store = RedisRateStore(url)
    await store.take([(tokens, 900)], NOW)
    os.kill(pid, signal.SIGSTOP)
    await store.peek([tokens], NOW)
    assert store.degraded
    await store.give_back([(tokens, MINUTE, 700)], NOW)
    os.kill(pid, signal.SIGCONT)
    await until(lambda: not store.degraded)
    deadline = time.monotonic() + 5
    while (await store.peek([tokens], NOW))[0].left != 800:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await store.aclose()
