"""Rates and concurrency in memory: exact, all or none, bounded."""

from gateway.quotas.interface import RateStore, Remaining
from gateway.quotas.slices import Slice
from gateway.snapshot import QuotaExtra, QuotaPolicy
from gateway.stores.memory import MemoryRateStore
from tests.gateway.stores.quotas import NOW, quota

requests = quota()
tokens = quota("q2", "total_tokens", 1000)
places = quota("q3", "concurrent", 2)


async def take(store: RateStore, asks: list[tuple[QuotaPolicy, int]], now: float) -> list[tuple[Slice, int]]:
    """Take what is there."""
    taken = await store.take(asks, now)
    assert isinstance(taken, list)
    return taken


async def test_the_last_request_fits_and_the_next_does_not() -> None:
    store: RateStore = MemoryRateStore()
    for left in range(9, -1, -1):
        [(part, amount)] = await take(store, [(requests, 1)], NOW)
        assert amount == 1
        assert part.remaining(NOW) == Remaining(requests, 10, left, 1_800_000_060.0, 1_800_000_000)
    assert await store.take([(requests, 1)], NOW) == Remaining(requests, 10, 0, 1_800_000_060.0, 1_800_000_000)
    [(part, _)] = await take(store, [(requests, 1)], 1_800_000_060.0)
    assert part.remaining(NOW) == Remaining(requests, 10, 9, 1_800_000_120.0, 1_800_000_060)


async def test_all_or_none() -> None:
    store = MemoryRateStore()
    refused = await store.take([(requests, 1), (tokens, 1001)], NOW)
    assert refused == Remaining(tokens, 1000, 1000, 1_800_000_060.0, 1_800_000_000)
    assert [item.left for item in await store.peek([requests, tokens], NOW)] == [10, 1000]


async def test_what_is_given_back_can_be_taken_again_in_its_own_window_only() -> None:
    store = MemoryRateStore()
    await store.take([(tokens, 1000)], NOW)
    await store.give_back([(tokens, 1_800_000_000, 400)], NOW + 1)
    assert (await store.peek([tokens], NOW))[0].left == 400
    await store.take([(tokens, 1000)], NOW + 60)
    await store.give_back([(tokens, 1_800_000_000, 600)], NOW + 60)
    assert (await store.peek([tokens], NOW + 60))[0].left == 0


async def test_giving_back_a_negative_amount_charges_an_overrun() -> None:
    store = MemoryRateStore()
    await store.take([(tokens, 900)], NOW)
    await store.give_back([(tokens, 1_800_000_000, -300)], NOW)
    assert (await store.peek([tokens], NOW))[0].left == 0
    await store.give_back([(tokens, 1_800_000_000, 5000)], NOW)
    assert (await store.peek([tokens], NOW))[0].left == 1000


async def test_nothing_asked_is_granted_even_when_nothing_is_left() -> None:
    store = MemoryRateStore()
    await store.take([(tokens, 1000)], NOW)
    assert isinstance(await store.take([(tokens, 0), (requests, 1)], NOW), list)


async def test_concurrency_is_a_gauge_that_knows_no_window() -> None:
    store = MemoryRateStore()
    await store.take([(places, 1)], NOW)
    await store.take([(places, 1)], NOW)
    assert await store.take([(places, 1)], NOW + 3600) == Remaining(places, 2, 0, NOW + 3601, 0)
    await store.give_back([(places, 0, 1)], NOW + 3600)
    assert isinstance(await store.take([(places, 1)], NOW + 3600), list)


async def test_an_approved_extra_counts_while_it_is_in_force() -> None:
    store = MemoryRateStore()
    extended = quota("q4", capacity=1, extras=(QuotaExtra(2, NOW, NOW + 10),))
    for _ in range(3):
        assert isinstance(await store.take([(extended, 1)], NOW), list)
    assert await store.take([(extended, 1)], NOW + 10) == Remaining(extended, 1, 0, 1_800_000_060.0, 1_800_000_000)


async def test_a_call_with_an_older_clock_does_not_reset_the_window() -> None:
    store = MemoryRateStore()
    await store.take([(requests, 10)], 1_800_000_060.0)
    await store.take([(requests, 1)], 1_800_000_059.9)
    assert isinstance(await store.take([(requests, 1)], 1_800_000_060.1), Remaining)


async def test_ended_windows_are_forgotten() -> None:
    store = MemoryRateStore()
    second = quota("q5", window="second")
    for step in range(5000):
        await store.take([(second, 1)], NOW + step)
    await store.give_back([(second, int(NOW), 1)], NOW + 5000)
    assert (await store.peek([second], NOW))[0].left == 10, "the first window is not remembered"
    assert (await store.peek([second], NOW + 4999))[0].left == 9


async def test_a_lowered_limit_holds_at_the_next_call() -> None:
    store = MemoryRateStore()
    await store.take([(requests, 5)], NOW)
    assert isinstance(await store.take([(quota(capacity=5), 1)], NOW), Remaining)
    assert isinstance(await store.take([(quota(capacity=6), 1)], NOW), list)
