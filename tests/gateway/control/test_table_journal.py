"""A journal in the database: committed before the dial, refused while the database is away, fenced before it is recovered."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone
from pytest import MonkeyPatch

from billing import escrow, journals
from billing.escrow import Ask
from billing.models import Balance, JournalGroup, JournalOwner, Lease, Quota, UsageEvent
from gateway.control import table_journal
from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain
from gateway.control.recovery import recover
from gateway.control.table_journal import TableJournal, TableReader, dead_tables
from gateway.journal.frames import JournalError
from gateway.journal.records import Hold
from tests.gateway.control.test_drain import PERIOD, closed, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def thread() -> Iterator[DatabaseThread]:
    made = DatabaseThread("test-journal")
    yield made
    made.shutdown()


@pytest.fixture
def ended() -> list[str]:
    """Fills when the process would end itself."""
    return []


@pytest.fixture
async def journal(thread: DatabaseThread, ended: list[str]) -> AsyncIterator[TableJournal]:
    begun = TableJournal("gw_1", thread, lambda: ended.append("ended"))
    await begun.begin()
    yield begun
    await begun.aclose()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def silence(incarnation: str) -> None:
    long_ago = timezone.now() - timedelta(seconds=60)
    JournalOwner.objects.filter(incarnation=incarnation).update(seen_at=long_ago)


async def test_entries_that_wait_together_are_one_commit(journal: TableJournal, thread: DatabaseThread) -> None:
    await asyncio.gather(*(journal.append(opened(number)) for number in range(50)))
    assert await thread.run(JournalGroup.objects.count) == 1
    await journal.append(closed(7))
    drain = Drain(TableReader("gw_1"))
    assert await thread.run(drain.step) == 51
    assert drain.offset == journal.end
    assert await thread.run(UsageEvent.objects.count) == 1
    assert await thread.run(JournalGroup.objects.count) == 2, "the first group holds calls that are under way"


async def test_what_is_drained_is_deleted(journal: TableJournal, thread: DatabaseThread) -> None:
    await journal.append(opened(1))
    await journal.append(closed(1))
    await thread.run(Drain(TableReader("gw_1")).step)
    assert not await thread.run(JournalGroup.objects.exists)


async def test_while_the_database_is_away_calls_are_refused_and_ends_are_kept(
    journal: TableJournal, thread: DatabaseThread, monkeypatch: MonkeyPatch
) -> None:
    await journal.append(opened(1))
    working = journals.commit

    def away(*_: object) -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(journals, "commit", away)
    with pytest.raises(JournalError, match="database is away"):
        await journal.append(opened(2))
    with pytest.raises(JournalError, match="database is away"):
        journal.append(opened(3))
    end = journal.append(closed(1))
    monkeypatch.setattr(journals, "commit", working)
    await end
    await journal.append(opened(4))
    assert journal.warning == ""
    records = await thread.run(TableReader("gw_1").read, 0, 100)
    assert [record for record, _ in records] == [opened(1), closed(1), opened(4)]


async def test_the_silent_are_fenced_recovered_and_end(
    journal: TableJournal, thread: DatabaseThread, ended: list[str]
) -> None:
    def lease() -> Quota:
        quota = Quota.objects.create(scope_kind="team", scope_id="team_a", metric="usd", window="month", capacity=9_000)
        escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 9_000, 2_000)]])
        return quota

    quota = await thread.run(lease)
    hold = (Hold(quota.pk, PERIOD, 500),)
    await asyncio.gather(journal.append(opened(1, holds=hold)), journal.append(opened(2, holds=hold)))
    await journal.append(closed(1))
    assert await thread.run(dead_tables, True) == []
    await thread.run(silence, "gw_1")
    await thread.run(recover, lambda: dead_tables(may_fence=True))
    await until(lambda: ended)
    with pytest.raises(JournalError, match="others took over"):
        journal.append(closed(2))
    assert dict(await thread.run(lambda: list(UsageEvent.objects.values_list("request_id", "cost_nano_usd")))) == {
        "req_1": 120,
        "req_2": 500,
    }
    balance = await thread.run(Balance.objects.get)
    assert (balance.settled, balance.leased) == (620, 0)
    assert not await thread.run(JournalOwner.objects.exists)
    assert not await thread.run(JournalGroup.objects.exists)

    await thread.run(escrow.lease, "gw_1", [[Ask(quota.pk, PERIOD, 9_000, 100)]])  # before it notices
    await thread.run(dead_tables, False)
    assert not await thread.run(Lease.objects.exists)
    assert (await thread.run(Balance.objects.get)).leased == 0


async def test_whoever_cannot_reach_the_database_fences_nobody(
    journal: TableJournal, thread: DatabaseThread, monkeypatch: MonkeyPatch
) -> None:
    await journal.append(opened(1))
    assert not journal.may_fence(), "it has seen the database for a moment only"
    monkeypatch.setattr(table_journal, "FENCE_AFTER_S", 0.0)
    assert journal.may_fence()
    working = journals.commit

    def away(*_: object) -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(journals, "commit", away)
    with pytest.raises(JournalError):
        await journal.append(opened(2))
    assert not journal.may_fence()
    monkeypatch.setattr(journals, "commit", working)


async def test_a_stop_commits_what_waits_and_gives_the_journal_up(thread: DatabaseThread) -> None:
    journal = TableJournal("gw_2", thread, lambda: None)
    await journal.begin()
    waiting = [journal.append(opened(1)), journal.append(closed(1))]
    await journal.aclose()
    await asyncio.gather(*waiting)
    await thread.run(recover, lambda: dead_tables(may_fence=False))
    assert await thread.run(UsageEvent.objects.count) == 1
    assert not await thread.run(JournalOwner.objects.exists)


async def test_a_group_that_does_not_check_is_passed_over(journal: TableJournal, thread: DatabaseThread) -> None:
    for number in range(3):
        await asyncio.gather(journal.append(opened(number)), journal.append(closed(number)))

    def damage() -> None:
        second = JournalGroup.objects.order_by("upto")[1]
        data = bytearray(second.data)
        data[40] ^= 0xFF
        JournalGroup.objects.filter(upto=second.upto).update(data=bytes(data))

    await thread.run(damage)
    drain = Drain(TableReader("gw_1"))
    while await thread.run(drain.step):
        pass
    assert drain.alarms == 1
    assert await thread.run(UsageEvent.objects.count) == 2
