"""Money in memory over a ledger in the database: exact over several processes, and nobody refused while it fits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import pytest
from django.db import DatabaseError, transaction
from pytest import MonkeyPatch

from billing import escrow
from billing.models import Lease, Quota
from gateway.control.database import DatabaseThread
from gateway.control.money import LedgerMoney
from gateway.errors import StoreUnavailable
from gateway.quotas.interface import Granted, Remaining
from gateway.snapshot import QuotaPolicy

T = TypeVar("T")

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
