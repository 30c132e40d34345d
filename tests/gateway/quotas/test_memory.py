"""Money in memory never grants more than the capacity, and loses nothing."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.records import Hold
from gateway.quotas.interface import Granted, MoneyStore, Remaining
from gateway.quotas.memory import MemoryMoneyStore
from gateway.snapshot import QuotaPolicy

TEAM = QuotaPolicy("team", "team", "team_1", "usd", "month", 100)
KEY = QuotaPolicy("key", "key", "key_1", "usd", "total", 60)
NOVEMBER, DECEMBER = 1_793_491_200, 1_796_083_200


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def test_all_or_none_and_the_tighter_one_is_named() -> None:
    store: MoneyStore = MemoryMoneyStore(clock=Clock(NOVEMBER + 5))
    granted = await store.take([(TEAM, 50), (KEY, 50)])
    assert isinstance(granted, Granted)
    assert granted.holds == (Hold("team", NOVEMBER, 50), Hold("key", 0, 50))
    assert [part.left for part, _ in granted.taken] == [50, 10]
    refused = await store.take([(TEAM, 50), (KEY, 11)])
    assert isinstance(refused, Remaining)
    assert refused.quota is KEY
    assert [item.left for item in await store.peek([TEAM, KEY])] == [50, 10]


async def test_a_call_belongs_to_the_period_it_was_reserved_in() -> None:
    clock = Clock(DECEMBER - 1.0)
    store = MemoryMoneyStore(clock=clock)
    granted = await store.take([(TEAM, 80)])
    assert isinstance(granted, Granted)
    clock.now = DECEMBER
    assert (await store.peek([TEAM]))[0].left == 100
    store.release(granted.holds, 70)
    assert (await store.peek([TEAM]))[0].left == 100
    assert store.spent("team") == 70
    clock.now = DECEMBER - 1.0
    assert (await store.peek([TEAM]))[0] == Remaining(TEAM, 100, 30, float(DECEMBER), NOVEMBER)


async def test_an_overrun_is_debt_that_blocks() -> None:
    store = MemoryMoneyStore(clock=Clock(NOVEMBER))
    granted = await store.take([(TEAM, 80)])
    assert isinstance(granted, Granted)
    store.release(granted.holds, 130)
    assert isinstance(await store.take([(TEAM, 1)]), Remaining)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 100), st.booleans()), max_size=40))
async def test_spent_never_passes_the_capacity_while_bounds_hold(calls: list[tuple[int, int, bool]]) -> None:
    store = MemoryMoneyStore(clock=Clock(NOVEMBER))
    flying: list[tuple[tuple[Hold, ...], int, int]] = []
    total = 0
    for bound, percent, settle in calls:
        granted = await store.take([(TEAM, bound), (KEY, bound)])
        fits = total + sum(b for _, b, _ in flying) + bound <= KEY.capacity
        assert isinstance(granted, Granted) == fits
        if isinstance(granted, Granted):
            flying.append((granted.holds, bound, bound * percent // 100))
        if settle and flying:
            holds, _, cost = flying.pop()
            store.release(holds, cost)
            total += cost
    assert store.spent("team") == store.spent("key") == total <= KEY.capacity
    assert store.held("team") == sum(bound for _, bound, _ in flying)
