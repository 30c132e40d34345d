"""The Redis store: the same answers as memory, over many processes, and a conservative share while Redis is away."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gateway.quotas.interface import RateStore, Remaining
from gateway.snapshot import QuotaPolicy
from gateway.stores.memory import MemoryRateStore
from gateway.stores.redis import TIMEOUT_S, RedisRateStore
from tests.gateway.stores.quotas import NOW, quota
from tests.services.redis import OwnRedis

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


async def until_left(store: RedisRateStore, of: QuotaPolicy, left: int) -> None:
    """Wait until `store` sees so much left."""
    deadline = time.monotonic() + 10
    while (await store.peek([of], NOW))[0].left != left:
        assert time.monotonic() < deadline, (await store.peek([of], NOW))[0]
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
                answers = [await store.take(asks, now) for store in stores]
                first, second = [
                    [part.remaining(now) for part, _ in answer] if isinstance(answer, list) else answer
                    for answer in answers
                ]
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
    rate, gauge = quota("r", capacity=100), quota("c", "concurrent", 70)
    answers = await asyncio.gather(*(stores[n % 2].take([(rate, 1), (gauge, 1)], NOW) for n in range(300)))
    assert sum(isinstance(answer, list) for answer in answers) == 70
    answers = await asyncio.gather(*(stores[n % 2].take([(rate, 1)], NOW) for n in range(60)))
    assert sum(isinstance(answer, list) for answer in answers) == 30, "a refusal by one quota takes nothing of another"
    for store in stores:
        await store.aclose()


async def test_what_one_process_does_not_need_serves_the_other(fresh_redis: str) -> None:
    hoarder, other = [RedisRateStore(fresh_redis, prefix="hoard", timeout_s=5) for _ in range(2)]
    big = quota("big", "total_tokens", 10_000)
    await hoarder.take([(big, 10), (places, 1)], NOW)
    assert isinstance(await other.take([(big, 9_990), (places, 7)], NOW), list), (
        "all that is free of a slice comes back"
    )
    assert isinstance(await other.take([(big, 1)], NOW), Remaining)
    await hoarder.give_back([(big, MINUTE, 10)], NOW)
    assert isinstance(await other.take([(big, 10)], NOW), list), "while others wait, what is freed is theirs at once"
    for store in (hoarder, other):
        await store.aclose()


async def test_a_slice_in_hand_asks_nobody(own_redis: OwnRedis) -> None:
    store = RedisRateStore(own_redis.url)
    plenty = quota("plenty", capacity=1_000_000)
    await store.take([(plenty, 1)], NOW)
    own_redis.pause()
    for _ in range(5):
        await store.take([(plenty, 1)], NOW)
        await store.give_back([(plenty, MINUTE, 1)], NOW)
    assert not store.degraded, "nobody noticed that Redis stands still"
    own_redis.resume()
    await store.aclose()


async def test_a_slice_is_topped_up_while_nobody_waits(store: RedisRateStore) -> None:
    plenty = quota("plenty", capacity=1_000_000)
    await store.take([(plenty, 1)], NOW)
    (part,) = store.leases().slices
    held = part.leased
    while part.free > held // 4:
        await store.take([(plenty, 1)], NOW)
    await until(lambda: part.leased > held)
    assert store.leases().waits == 1


async def test_who_is_about_to_be_refused_takes_no_room_from_others(own_redis: OwnRedis) -> None:
    store = RedisRateStore(own_redis.url, timeout_s=5)
    wide, tight = quota("wide", capacity=10), quota("tight", capacity=1)
    await store.peek([wide, tight], NOW)
    own_redis.pause()
    calls = [asyncio.create_task(store.take([(wide, 1), (tight, 1)], NOW)) for _ in range(20)]
    await until(lambda: next(part.reserved for part in store.leases().slices if part.quota is wide) == 20)
    other = asyncio.create_task(store.take([(wide, 9)], NOW))
    await asyncio.sleep(0.05)
    assert not other.done()
    own_redis.resume()
    assert isinstance(await other, list)
    assert sum(isinstance(answer, list) for answer in await asyncio.gather(*calls)) == 1
    await store.aclose()


async def test_a_caller_who_goes_away_leaves_nothing_taken(fresh_redis: str) -> None:
    stores = [RedisRateStore(fresh_redis, prefix="gone", timeout_s=5) for _ in range(2)]
    await stores[0].take([(places, 8)], NOW)
    waiting = asyncio.create_task(stores[1].take([(places, 1), (tokens, 10)], NOW))
    await until(lambda: stores[1].leases().waiting == 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await stores[0].give_back([(places, 0, 8)], NOW)
    assert isinstance(await stores[0].take([(places, 8), (tokens, 1_000)], NOW), list)
    for store in stores:
        await store.aclose()


async def test_a_lowered_limit_recalls_what_is_free(fresh_redis: str) -> None:
    stores = [RedisRateStore(fresh_redis, prefix="low", timeout_s=5) for _ in range(2)]
    await stores[0].take([(quota("low", capacity=1_000), 10)], NOW)
    stores[0].recall({"low"})
    lowered = quota("low", capacity=15)
    assert isinstance(await stores[1].take([(lowered, 6)], NOW), Remaining)
    assert isinstance(await stores[1].take([(lowered, 5)], NOW), list)
    assert isinstance(await stores[0].take([(lowered, 1)], NOW), Remaining)
    for store in stores:
        await store.aclose()


async def test_an_unrelated_edit_keeps_the_slice(own_redis: OwnRedis) -> None:
    store = RedisRateStore(own_redis.url)
    plenty = quota("plenty", capacity=1_000_000)
    await store.take([(plenty, 1)], NOW)
    own_redis.pause()
    taken = await store.take([(replace(plenty, step_down_model_id="mod_cheap"), 1)], NOW)
    assert isinstance(taken, list) and taken[0][0].left == 999_998
    assert not store.degraded
    own_redis.resume()
    await store.aclose()


async def test_used_beyond_what_was_taken_counts_for_everybody(fresh_redis: str) -> None:
    stores = [RedisRateStore(fresh_redis, prefix="over", timeout_s=5) for _ in range(2)]
    await stores[0].take([(tokens, 900)], NOW)
    await stores[0].give_back([(tokens, MINUTE, -500)], NOW)
    await until_left(stores[1], tokens, 0)
    for store in stores:
        await store.aclose()


async def test_what_a_dead_process_held_of_a_rate_lapses_with_its_window(fresh_redis: str) -> None:
    dead, living = [RedisRateStore(fresh_redis, prefix="dead", timeout_s=5) for _ in range(2)]
    await dead.take([(tokens, 600)], NOW)
    await dead._holder.stop()
    assert isinstance(await living.take([(tokens, 401)], NOW), Remaining)
    assert isinstance(await living.take([(tokens, 1_000)], NOW + 60), list)
    await living.aclose()
    await dead.aclose()


async def test_every_key_expires_and_shares_one_hash_slot(store: RedisRateStore, fresh_redis: str) -> None:
    await store.take([(item, 1) for item in POOL], time.time())
    client = Redis.from_url(fresh_redis, decode_responses=True)
    keys: Any = client.keys()
    assert len(keys) == len(POOL) + 1
    assert all(0 < client.pttl(key) <= 130_000 for key in keys)
    assert len({key.split("}")[0] for key in keys}) == 1
    client.close()


async def test_scripts_that_redis_forgot_are_sent_again(store: RedisRateStore, fresh_redis: str) -> None:
    await store.take([(requests, 1)], NOW)
    client = Redis.from_url(fresh_redis)
    client.script_flush()
    client.close()
    assert (await store.peek([requests], NOW))[0].left == 9
    assert not store.degraded


async def test_slots_of_a_dead_process_are_freed_and_those_of_a_living_one_kept(fresh_redis: str) -> None:
    dead, living = (RedisRateStore(fresh_redis, prefix="slots", timeout_s=5, lives_s=0.6) for _ in range(2))
    await dead.take([(places, 5)], NOW)
    await living.take([(places, 3)], NOW)
    assert isinstance(await living.take([(places, 1)], NOW), Remaining)
    await dead._holder.stop()  # its heartbeat stops: the process is gone
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
    store = RedisRateStore(fresh_redis, prefix="flush", timeout_s=5, lives_s=0.6)
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


def test_the_timeout_keeps_what_is_promised() -> None:
    assert TIMEOUT_S <= 0.25


async def test_a_paused_redis_costs_a_moment_once_and_a_share_is_handed_out(own_redis: OwnRedis) -> None:
    store = RedisRateStore(own_redis.url)
    assert isinstance(await store.take([(tokens, 100), (places, 1)], NOW), list)
    own_redis.pause()
    begin = time.monotonic()
    first = await store.take([(tokens, 150), (places, 1)], NOW)
    assert isinstance(first, list)
    assert time.monotonic() - begin < ONCE_S
    assert store.degraded
    assert [part.left for part, _ in first] == [0, 0]  # of a quarter
    begin = time.monotonic()
    assert isinstance(await store.take([(tokens, 100)], NOW), Remaining)
    assert isinstance(await store.take([(places, 1)], NOW), Remaining)
    await store.give_back([(tokens, MINUTE, 100), (places, 0, 1)], NOW)
    assert isinstance(await store.take([(tokens, 100)], NOW), list)
    assert time.monotonic() - begin < 1.0  # five calls that ask nobody
    own_redis.resume()
    await until(lambda: not store.degraded)
    assert [item.left for item in await store.peek([tokens, places], NOW)] == [750, 7]
    assert isinstance(await store.take([(tokens, 750), (places, 7)], NOW), list), "no refusal by what was unclear"
    await store.aclose()


async def test_a_killed_redis_degrades_and_a_new_one_hears_what_was_used(own_redis: OwnRedis) -> None:
    store, other = [RedisRateStore(own_redis.url) for _ in range(2)]
    await store.take([(tokens, 100)], NOW)
    own_redis.kill()
    begin = time.monotonic()
    assert isinstance(await store.take([(requests, 2)], NOW), list)
    assert time.monotonic() - begin < ONCE_S
    assert store.degraded
    own_redis.start()
    await until(lambda: not store.degraded)
    await until_left(other, requests, 8)
    await until_left(other, tokens, 900)
    assert isinstance(await store.take([(requests, 8)], NOW), list)
    for ending in (store, other):
        await ending.aclose()


async def test_what_is_given_back_during_an_outage_reaches_redis_afterwards(own_redis: OwnRedis) -> None:
    store = RedisRateStore(own_redis.url)
    await store.take([(tokens, 900)], NOW)
    own_redis.pause()
    await store.peek([tokens], NOW)
    assert store.degraded
    await store.give_back([(tokens, MINUTE, 700)], NOW)
    own_redis.resume()
    await until_left(store, tokens, 800)
    await store.aclose()


async def test_a_flushed_redis_hears_again_what_was_used(own_redis: OwnRedis) -> None:
    store, other = RedisRateStore(own_redis.url), RedisRateStore(own_redis.url)
    await store.take([(tokens, 900), (places, 8)], NOW)
    own_redis.flush()
    await until_left(other, tokens, 100)
    await until_left(other, places, 0)
    for ending in (store, other):
        await ending.aclose()
