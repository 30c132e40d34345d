"""Money in memory over a ledger in the database: exact over several processes, and nobody refused while it fits."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from django.db import DatabaseError, transaction
from pytest import MonkeyPatch

from billing import escrow
from billing.actions.quotas import remove_quota
from billing.models import Balance, Lease, Quota
from gateway.control.database import DatabaseThread
from gateway.control.money import LedgerMoney
from gateway.errors import StoreUnavailable
from gateway.quotas import leases
from gateway.quotas.interface import Granted, Remaining
from gateway.snapshot import QuotaPolicy
from portal.people.audit import Actor

T = TypeVar("T")

NOVEMBER_BEGINS, NOVEMBER_ENDS = 1_793_487_600, 1_796_079_600  # 2026, in Berlin
CLOCKS_GO_BACK = 1_792_879_200  # 25 October 2026, in Berlin

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def threads() -> Iterator[list[DatabaseThread]]:
    made = [DatabaseThread(f"test-{n}") for n in range(2)]
    yield made
    for thread in made:
        thread.shutdown()


@pytest.fixture
async def processes(threads: list[DatabaseThread]) -> AsyncIterator[list[LedgerMoney]]:
    """Two gateway processes."""
    monies = [LedgerMoney(f"gw_{n}", thread, time.time, "UTC") for n, thread in enumerate(threads)]
    yield monies
    for money in monies:
        await money.aclose()


async def until(thread: DatabaseThread, condition: Callable[[], bool]) -> None:
    """Wait until the ledger is as it should be."""
    deadline = time.monotonic() + 10
    while not await thread.run(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def quota(capacity: int, scope_id: str = "team_a") -> QuotaPolicy:
    row = Quota.objects.create(scope_kind="team", scope_id=scope_id, metric="usd", window="total", capacity=capacity)
    return QuotaPolicy(row.pk, "team", scope_id, "usd", "total", capacity)


def atomically(function: Callable[..., T], *args: object) -> T:
    """Run `function` in a transaction, as the drain does."""
    with transaction.atomic():
        return function(*args)


@pytest.fixture
def of() -> QuotaPolicy:
    """A budget of 1,000 nano-USD."""
    return quota(1_000)


@pytest.fixture
def tight() -> QuotaPolicy:
    """A budget of 50 nano-USD of another team."""
    return quota(50, "team_b")


async def test_two_hundred_calls_two_processes_a_budget_for_ten(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy
) -> None:
    answers = await asyncio.gather(*(processes[n % 2].take([(of, 100)]) for n in range(200)))
    assert sum(isinstance(answer, Granted) for answer in answers) == 10
    ((_, standing),) = (await threads[0].run(escrow.standings, [(of.id, 0)])).items()
    assert standing.settled + standing.leased == 1_000


async def test_what_one_process_does_not_need_serves_the_other(processes: list[LedgerMoney], of: QuotaPolicy) -> None:
    for _ in range(3):
        granted = await processes[0].take([(of, 10)])
        assert isinstance(granted, Granted)
        processes[0].release(granted.holds, 0)
    assert isinstance(await processes[1].take([(of, 1_000)]), Granted), "all of it is free: no false refusal"


async def test_all_scopes_or_none(processes: list[LedgerMoney], of: QuotaPolicy, tight: QuotaPolicy) -> None:
    refused = await processes[0].take([(of, 60), (tight, 60)])
    assert isinstance(refused, Remaining) and refused.quota == tight
    assert refused.left == 50
    assert isinstance(await processes[1].take([(of, 1_000)]), Granted)


async def test_release_frees_what_was_not_spent_and_the_drain_settles_the_rest(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy
) -> None:
    money = processes[0]
    granted = await money.take([(of, 1_000)])
    assert isinstance(granted, Granted)
    money.release(granted.holds, 30)
    (left,) = await money.peek([of])
    assert left.left == 970
    slot = (of.id, 0)
    shrunk = await threads[0].run(atomically, escrow.settle, "gw_0", {slot: 30})
    money.settled({slot: 30}, shrunk)
    (left,) = await money.peek([of])
    assert left.left == 970
    assert isinstance(await money.take([(of, 970)]), Granted)
    assert isinstance(await money.take([(of, 1)]), Remaining)


async def test_a_lowered_limit_recalls_what_is_free(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy
) -> None:
    money = processes[0]
    granted = await money.take([(of, 10)])
    assert isinstance(granted, Granted)
    money.recall({of.id})
    await until(threads[0], lambda: Lease.objects.get().amount == 10)
    lowered = QuotaPolicy(of.id, "team", "team_a", "usd", "total", 15)
    assert isinstance(await money.take([(lowered, 6)]), Remaining)
    assert isinstance(await money.take([(lowered, 5)]), Granted)


async def test_without_the_ledger_leases_in_hand_work_on_and_then_money_fails_closed(
    processes: list[LedgerMoney], of: QuotaPolicy, monkeypatch: MonkeyPatch
) -> None:
    money = processes[0]
    assert isinstance(await money.take([(of, 10)]), Granted)

    def away(*args: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(escrow, "lease", away)
    assert isinstance(await money.take([(of, 10)]), Granted)
    with pytest.raises(StoreUnavailable):
        await money.take([(of, 900)])


async def test_a_transaction_whose_end_nobody_saw_loses_nothing_and_grants_nothing_twice(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy, monkeypatch: MonkeyPatch
) -> None:
    money, other = processes
    lease, give_back = escrow.lease, escrow.give_back

    def breaks_after(function: Callable[..., object]) -> Callable[..., object]:
        def broken(*args: object) -> object:
            function(*args)
            raise DatabaseError("the connection broke after the commit")

        return broken

    first = await money.take([(of, 100)])
    assert isinstance(first, Granted)
    monkeypatch.setattr(escrow, "lease", breaks_after(lease))
    with pytest.raises(StoreUnavailable):
        await money.take([(of, 600)])
    monkeypatch.setattr(escrow, "lease", lease)
    monkeypatch.setattr(escrow, "give_back", breaks_after(give_back))
    money.recall({of.id})
    await until(threads[0], lambda: Lease.objects.get().amount == 100)
    monkeypatch.setattr(escrow, "give_back", give_back)
    assert isinstance(await other.take([(of, 900)]), Granted), "nothing is stranded"
    assert isinstance(await money.take([(of, 1)]), Remaining), "and nothing is there twice"


async def test_a_call_that_ends_makes_room_for_one_that_waits(processes: list[LedgerMoney], of: QuotaPolicy) -> None:
    money, other = processes
    granted = await money.take([(of, 1_000)])
    assert isinstance(granted, Granted)

    async def ends_soon() -> None:
        await asyncio.sleep(0.1)
        money.release(granted.holds, 0)

    ending = asyncio.create_task(ends_soon())
    assert isinstance(await other.take([(of, 1_000)]), Granted)
    await ending


async def test_a_call_belongs_to_the_month_it_was_reserved_in(threads: list[DatabaseThread]) -> None:
    row = await threads[0].run(
        Quota.objects.create, scope_kind="team", scope_id="team_m", metric="usd", window="month", capacity=100
    )
    monthly = QuotaPolicy(row.pk, "team", "team_m", "usd", "month", 100)
    now = [float(NOVEMBER_ENDS - 1)]
    money = LedgerMoney("gw_0", threads[0], lambda: now[0], "Europe/Berlin")
    granted = await money.take([(monthly, 80)])
    assert isinstance(granted, Granted)
    (hold,) = granted.holds
    now[0] = float(NOVEMBER_ENDS)
    following = await money.take([(monthly, 100)])
    assert isinstance(following, Granted), "December is whole"
    assert following.holds[0].period == NOVEMBER_ENDS
    money.release(granted.holds, 70)
    slot = (hold.quota_id, hold.period)
    shrunk = await threads[0].run(atomically, escrow.settle, "gw_0", {slot: 70})
    money.settled({slot: 70}, shrunk)
    standing = (await threads[0].run(escrow.standings, [slot, (hold.quota_id, NOVEMBER_ENDS)]))[slot]
    assert (standing.settled, hold.period) == (70, NOVEMBER_BEGINS)
    assert isinstance(await money.take([(monthly, 1)]), Remaining)
    await money.aclose()


async def test_a_day_of_twenty_five_hours_is_one_window(threads: list[DatabaseThread]) -> None:
    row = await threads[0].run(
        Quota.objects.create, scope_kind="team", scope_id="team_d", metric="usd", window="day", capacity=100
    )
    daily = QuotaPolicy(row.pk, "team", "team_d", "usd", "day", 100)
    now = [float(CLOCKS_GO_BACK)]
    money = LedgerMoney("gw_0", threads[0], lambda: now[0], "Europe/Berlin")
    assert isinstance(await money.take([(daily, 60)]), Granted)
    now[0] += 24.5 * 3600
    refused = await money.take([(daily, 60)])
    assert isinstance(refused, Remaining)
    assert refused.resets_at == CLOCKS_GO_BACK + 25 * 3600
    now[0] = refused.resets_at
    assert isinstance(await money.take([(daily, 60)]), Granted)
    await money.aclose()


async def test_a_limit_that_is_removed_while_a_call_is_in_flight_limits_nothing_more(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy, tight: QuotaPolicy
) -> None:
    money = processes[0]
    granted = await money.take([(of, 60), (tight, 50)])
    assert isinstance(granted, Granted)
    await threads[0].run(lambda: Quota.objects.filter(pk=tight.id).delete())
    money.recall({tight.id})
    assert isinstance(await money.take([(of, 60), (tight, 60)]), Granted), "calls that still know the limit go on"
    money.release(granted.holds, 40)
    costs = {(of.id, 0): 40, (tight.id, 0): 40}
    shrunk = await threads[0].run(atomically, escrow.settle, "gw_0", costs)
    money.settled(costs, shrunk)
    assert shrunk == {(of.id, 0): 40}
    assert isinstance(await money.take([(of, 900)]), Granted)


async def test_an_unrelated_edit_asks_nobody_and_keeps_the_lease(
    processes: list[LedgerMoney], of: QuotaPolicy, monkeypatch: MonkeyPatch
) -> None:
    money = processes[0]
    assert isinstance(await money.take([(of, 10)]), Granted)
    monkeypatch.setattr(escrow, "lease", None)
    edited = replace(of, step_down_model_id="mod_cheap")
    granted = await money.take([(edited, 10)])
    assert isinstance(granted, Granted)
    assert granted.taken[0][0].left == 980


async def test_limits_that_overlap_in_any_order_never_wait_for_each_other(
    processes: list[LedgerMoney], threads: list[DatabaseThread]
) -> None:
    many = [await threads[0].run(quota, 10_000, f"team_{n}") for n in range(6)]
    rng = random.Random(7)

    async def call(money: LedgerMoney) -> bool:
        chosen = rng.sample(many, 3)
        granted = await money.take([(of, rng.randint(1, 300)) for of in chosen])
        if isinstance(granted, Granted):
            await asyncio.sleep(0.01)
            money.release(granted.holds, 0)
        return isinstance(granted, Granted)

    calls = [call(processes[n % 2]) for n in range(60)]
    removing = threads[0].run(lambda: remove_quota(actor=Actor("command"), quota=Quota.objects.get(pk=many[0].id)))
    async with asyncio.timeout(30):
        *served, _ = await asyncio.gather(*calls, removing)
    assert all(served), "all of it fits"


async def test_idle_money_goes_back(
    processes: list[LedgerMoney], threads: list[DatabaseThread], of: QuotaPolicy, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "IDLE_S", 0.1)
    monkeypatch.setattr(leases, "LOOK_S", 0.1)
    granted = await processes[0].take([(of, 10)])
    assert isinstance(granted, Granted)
    await until(threads[0], lambda: Lease.objects.get().amount == 10)
    processes[0].release(granted.holds, 0)
    await until(threads[0], lambda: Lease.objects.get().amount == 0)


async def test_what_is_used_up_for_good_is_not_asked_again_within_a_second(
    processes: list[LedgerMoney], threads: list[DatabaseThread], monkeypatch: MonkeyPatch
) -> None:
    budget = await threads[0].run(quota, 100)
    await threads[0].run(lambda: Balance.objects.create(quota_id=budget.id, period=0, settled=95))
    asked: list[int] = []
    lease = escrow.lease

    def counted(incarnation: str, bids: object) -> object:
        asked.append(1)
        return lease(incarnation, bids)  # type: ignore[arg-type]

    monkeypatch.setattr(escrow, "lease", counted)
    for _ in range(20):
        refused = await processes[0].take([(budget, 10)])
        assert isinstance(refused, Remaining)
        assert refused.left == 5
    assert len(asked) == 1
    assert isinstance(await processes[0].take([(budget, 5)]), Granted), "what fits is granted all the same"
    raised = replace(budget, capacity=200)
    assert isinstance(await processes[0].take([(raised, 10)]), Granted), "and so is what a raised limit allows"
