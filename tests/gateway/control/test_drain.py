"""From the journal to the database: every attempt once, whatever dies in between."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError, DataError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch

from billing import escrow
from billing.ingest import Ingested, OvertakenError
from billing.models import Balance, DirtyHour, JournalOffset, Lease, Quota, UsageEvent
from gateway.control import drain as drain_module
from gateway.control.drain import Drain
from gateway.control.recovery import recover as recover_all
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Hold, Opened
from gateway.journal.writer import JournalWriter
from gateway.quotas.escrow import Ask
from tests.factories.keys import KeyFactory
from tests.gateway.control.drained import AT_MS, PERIOD, closed, opened


@pytest.fixture
def journal(tmp_path: Path):  # type: ignore[no-untyped-def]
    writer = JournalWriter(tmp_path, "gw_1")
    yield writer
    writer.close()


@pytest.fixture
def quota(db: None) -> Quota:
    return Quota.objects.create(scope_kind="team", scope_id="team_a", metric="usd", window="month", capacity=10_000)


def moment(record: Opened) -> datetime:
    return datetime.fromtimestamp(record.at_ms / 1000, UTC)


def recover(folder: Path) -> list[str]:
    """Recover what is dead in `folder`; returns whose journals that were."""
    dead = recoverable(folder)
    recover_all(lambda: dead)
    return [journal.incarnation for journal in dead]


def drained(tmp_path: Path) -> Drain:
    return Drain(JournalReader(tmp_path, "gw_1"))


@pytest.mark.django_db
def test_an_attempt_becomes_one_event_and_marks_its_hour(journal: JournalWriter, tmp_path: Path) -> None:
    journal.append(opened(1))
    journal.append(closed(1))
    drain = drained(tmp_path)
    assert drain.step() == 2 and drain.step() == 0
    event = UsageEvent.objects.get()
    assert (event.request_id, event.cost_nano_usd, event.input_tokens, event.cached_tokens) == ("req_1", 120, 10, 2)
    assert (event.status, event.estimated, event.client) == (200, False, "openai-python/2.1")
    assert str(event.month) == "2026-09-01"
    assert DirtyHour.objects.count() == 1


@pytest.mark.django_db
def test_entries_interleave_and_come_in_pieces(journal: JournalWriter, tmp_path: Path) -> None:
    drain = drained(tmp_path)
    journal.append(opened(1))
    journal.append(opened(2))
    drain.step()
    assert not UsageEvent.objects.exists()
    journal.append(closed(2), opened(3))
    drain.step()
    journal.append(closed(1))
    journal.append(closed(3))
    drain.step()
    assert set(UsageEvent.objects.values_list("request_id", flat=True)) == {"req_1", "req_2", "req_3"}


@pytest.mark.django_db
@pytest.mark.parametrize("steps_before_death", [0, 1, 2, 3])
def test_death_at_any_step_neither_loses_nor_doubles(
    journal: JournalWriter, tmp_path: Path, quota: Quota, steps_before_death: int
) -> None:
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    hold = (Hold(quota.pk, PERIOD, 500),)
    batches = [[opened(1, holds=hold), opened(2, holds=hold)], [closed(1), opened(3, holds=hold)], [closed(3)]]
    first = drained(tmp_path)
    for number, batch in enumerate(batches):
        journal.append(*batch)
        if number < steps_before_death:
            first.step()
    journal.close()
    assert recover(tmp_path) == ["gw_1"]
    assert recover(tmp_path) == []
    rows = dict(UsageEvent.objects.values_list("request_id", "cost_nano_usd"))
    assert rows == {"req_1": 120, "req_2": 500, "req_3": 120}, "what has no end is charged its bound"
    lost = UsageEvent.objects.get(request_id="req_2")
    assert lost.estimated and lost.code == "recovered"
    balance = Balance.objects.get()
    assert (balance.settled, balance.leased) == (740, 0)
    assert JournalOffset.objects.get().finished
    assert not list(tmp_path.glob("*.journal"))


@pytest.mark.django_db
def test_what_is_there_already_is_neither_doubled_nor_settled_again(
    journal: JournalWriter, tmp_path: Path, quota: Quota
) -> None:
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    hold = (Hold(quota.pk, PERIOD, 500),)
    journal.append(opened(1, holds=hold), closed(1))
    drained(tmp_path).step()
    JournalOffset.objects.update(position="0")  # as if the offset, and no event, had been lost
    journal.append(opened(2, holds=hold), closed(2, cost=30))
    heard: list[Ingested] = []
    again = Drain(JournalReader(tmp_path, "gw_1"), heard.append)
    assert again.step() == 4
    assert [attempt[0].request_id for attempt in heard[0].inserted] == ["req_2"]
    assert heard[0].settled == {(quota.pk, PERIOD): 30}
    assert dict(UsageEvent.objects.values_list("request_id", "cost_nano_usd")) == {"req_1": 120, "req_2": 30}
    balance = Balance.objects.get()
    assert (balance.settled, balance.leased) == (150, Lease.objects.get().amount)


@pytest.mark.django_db
def test_two_who_drain_one_journal_by_mistake_do_not_add_up(journal: JournalWriter, tmp_path: Path) -> None:
    journal.append(opened(1), closed(1))
    slow, quick = drained(tmp_path), drained(tmp_path)
    slow._started()  # it has read its place, and does nothing for a while
    assert quick.step() == 2
    journal.append(opened(2), closed(2))
    with pytest.raises(OvertakenError):
        slow.step()
    assert UsageEvent.objects.count() == 1
    assert quick.step() == 2
    assert UsageEvent.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("ends", [False, True])
def test_a_long_call_does_not_keep_the_journal(
    tmp_path: Path, quota: Quota, monkeypatch: MonkeyPatch, ends: bool
) -> None:
    monkeypatch.setattr(drain_module, "CARRY_BYTES", 2_000)
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    journal, drain = JournalWriter(tmp_path, "gw_1", segment_bytes=1_000), drained(tmp_path)
    journal.append(opened(0, holds=(Hold(quota.pk, PERIOD, 500),)))
    for number in range(1, 50):
        journal.append(opened(number), closed(number, cost=1))
        drain.step()
    assert len(list(tmp_path.glob("*.journal"))) <= 4
    assert UsageEvent.objects.count() == 49
    if ends:
        journal.append(closed(0))
        drain.step()
    journal.close()
    assert recover(tmp_path) == ["gw_1"]
    event = UsageEvent.objects.get(request_id="req_0")
    assert (event.cost_nano_usd, event.estimated) == ((120, False) if ends else (500, True))
    assert Balance.objects.values_list("settled", "leased").get() == (event.cost_nano_usd, 0)
    assert UsageEvent.objects.count() == 50


@pytest.mark.django_db
def test_a_key_is_marked_with_its_last_use(journal: JournalWriter, tmp_path: Path) -> None:
    used, idle = KeyFactory(), KeyFactory()
    mine = [msgspec.structs.replace(opened(number), key_id=used.pk) for number in range(3)]
    journal.append(mine[1], closed(1), mine[0], closed(0))
    drain = drained(tmp_path)
    drain.step()
    used.refresh_from_db()
    assert (used.last_used_at, used.last_used_client) == (moment(mine[1]), "openai-python/2.1")
    journal.append(msgspec.structs.replace(mine[2], client=""), closed(2))
    drain.step()
    journal.append(msgspec.structs.replace(opened(9), key_id=used.pk, at_ms=AT_MS - 9, client="old/1"), closed(9))
    drain.step()
    used.refresh_from_db()
    assert (used.last_used_at, used.last_used_client) == (moment(mine[2]), "openai-python/2.1")
    idle.refresh_from_db()
    assert idle.last_used_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("words", ["tab\there", "back\\slash", "new\nline", "\\N", "quote'\"", "ünï%s"])
def test_no_character_changes_a_row(journal: JournalWriter, tmp_path: Path, words: str) -> None:
    journal.append(msgspec.structs.replace(opened(1), client=words, application_id=words), closed(1))
    drained(tmp_path).step()
    event = UsageEvent.objects.get()
    assert (event.client, event.application_id, event.at) == (words, words, moment(opened(1)))


@pytest.mark.django_db
def test_a_living_process_is_left_alone(journal: JournalWriter, tmp_path: Path) -> None:
    journal.append(opened(1))
    assert recover(tmp_path) == []
    assert not UsageEvent.objects.exists()


@pytest.mark.django_db
def test_an_outage_of_the_database_is_survived(
    journal: JournalWriter, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    journal.append(opened(1), closed(1))
    drain = drained(tmp_path)
    working = drain_module.ingest

    def broken(*args: object, **kwargs: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(drain_module, "ingest", broken)
    with pytest.raises(DatabaseError):
        drain.step()
    monkeypatch.setattr(drain_module, "ingest", working)
    drain.step()
    assert UsageEvent.objects.count() == 1


@pytest.mark.django_db
def test_a_commit_that_was_done_and_not_heard_of_is_found(
    journal: JournalWriter, tmp_path: Path, quota: Quota, monkeypatch: MonkeyPatch
) -> None:
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    journal.append(opened(1, holds=(Hold(quota.pk, PERIOD, 500),)), opened(2), closed(1))
    drain = drained(tmp_path)
    working = drain_module.ingest

    def unheard(*args: Any, **kwargs: Any) -> None:
        working(*args, **kwargs)
        raise DatabaseError("the connection broke")

    monkeypatch.setattr(drain_module, "ingest", unheard)
    with pytest.raises(DatabaseError):
        drain.step()
    monkeypatch.setattr(drain_module, "ingest", working)
    journal.append(closed(2))
    drain.step()
    assert dict(UsageEvent.objects.values_list("request_id", "cost_nano_usd")) == {"req_1": 120, "req_2": 120}
    assert Balance.objects.get().settled == 120


@pytest.mark.django_db
def test_an_event_that_the_database_refuses_holds_up_no_other(
    journal: JournalWriter, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    for number in range(5):
        journal.append(opened(number), closed(number))
    working = drain_module.ingest

    def refusing(incarnation: str, attempts: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        if ("req_2", 1) in attempts:
            raise DataError("value too long")
        return working(incarnation, attempts, *args, **kwargs)

    monkeypatch.setattr(drain_module, "ingest", refusing)
    drain = drained(tmp_path)
    assert drain.step() == 10
    assert sorted(UsageEvent.objects.values_list("request_id", flat=True)) == ["req_0", "req_1", "req_3", "req_4"]
    assert drain.alarms == 1
    assert drain.step() == 0


@pytest.mark.django_db
def test_a_damaged_journal_is_recovered_and_kept(journal: JournalWriter, tmp_path: Path) -> None:
    for number in range(3):
        journal.append(opened(number), closed(number))
    file = tmp_path / "gw_1.journal"
    data = bytearray(file.read_bytes())
    data[journal.end // 2] ^= 0xFF
    file.write_bytes(data)
    journal.close()
    assert recover(tmp_path) == ["gw_1"]
    assert UsageEvent.objects.count() == 2
    assert [path.name for path in tmp_path.iterdir()] == ["gw_1.journal.damaged"]
    assert recover(tmp_path) == []


@pytest.mark.django_db
def test_damage_is_passed_over_with_an_alarm(journal: JournalWriter, tmp_path: Path) -> None:
    for number in range(3):
        journal.append(opened(number), closed(number))
    file = next(tmp_path.glob("*.journal"))
    data = bytearray(file.read_bytes())
    data[journal.end // 2] ^= 0xFF
    file.write_bytes(data)
    drain = drained(tmp_path)
    while drain.step():
        pass
    assert drain.alarms == 1
    assert UsageEvent.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.integers(0, 6), min_size=1, max_size=20),
    drained_after=st.sets(st.integers(0, 19)),
    cut=st.floats(0, 1),
)
def test_wherever_the_journal_was_cut_off_what_is_whole_is_charged_once(
    tmp_path_factory: pytest.TempPathFactory, turns: list[int], drained_after: set[int], cut: float
) -> None:
    """A call's first turn opens it, its second closes it. The machine dies while the rest is being written."""
    for table in (UsageEvent, JournalOffset, Quota, DirtyHour):
        table.objects.all().delete()  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("journal")
    quota = Quota.objects.create(scope_kind="team", scope_id="team_a", metric="usd", window="month", capacity=10_000)
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 7 * 500)]])
    writer, drain = JournalWriter(folder, "gw_1"), drained(folder)
    costs: list[tuple[int, dict[int, int]]] = [(0, {})]  # from which offset on, what each call costs
    certain = 0
    for place, number in enumerate(turns):
        known = dict(costs[-1][1])
        if number not in known:
            writer.append(opened(number, holds=(Hold(quota.pk, PERIOD, 500),)))
            known[number] = 500
        elif known[number] == 500:
            writer.append(closed(number, cost=100 + number))
            known[number] = 100 + number
        costs.append((writer.end, known))
        if place in drained_after:
            drain.step()
            certain = writer.end
    writer.close()
    size = round(certain + cut * (writer.end - certain))
    os.truncate(folder / "gw_1.journal", size)
    expected = [known for end, known in costs if end <= size][-1]
    assert recover(folder) == ["gw_1"]
    assert dict(UsageEvent.objects.values_list("request_id", "cost_nano_usd")) == {
        f"req_{number}": cost for number, cost in expected.items()
    }
    assert UsageEvent.objects.filter(estimated=True).count() == list(expected.values()).count(500)
    assert Balance.objects.values_list("settled", "leased").get() == (sum(expected.values()), 0)


@pytest.mark.django_db
@pytest.mark.parametrize("committed", [True, False])
def test_after_a_lost_answer_what_was_spent_is_told_once(
    journal: JournalWriter, tmp_path: Path, quota: Quota, monkeypatch: MonkeyPatch, committed: bool
) -> None:
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    told: list[Ingested] = []
    drain = Drain(JournalReader(tmp_path, "gw_1"), told.append)
    real, answers = drain_module.ingest, iter([False, True])

    def ingest(*asked: Any, **more: Any) -> Ingested:
        answered = next(answers, True)
        if answered or committed:
            done = real(*asked, **more)
        if not answered:
            raise DatabaseError("the connection broke")
        return done

    monkeypatch.setattr(drain_module, "ingest", ingest)
    journal.append(opened(0, holds=(Hold(quota.pk, PERIOD, 500),)))  # stays open, so that the place does not move
    journal.append(opened(1, holds=(Hold(quota.pk, PERIOD, 500),)))
    journal.append(closed(1))
    with pytest.raises(DatabaseError):
        drain.step()
    while drain.step():
        pass

    assert UsageEvent.objects.count() == 1
    assert sum(sum(done.settled.values()) for done in told) == 120
    assert any(done.doubted for done in told) is committed, "leases are read anew where nobody saw what became of them"
