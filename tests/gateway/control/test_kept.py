"""The register in the database: whose is what, and what was done in the background is settled once, whatever dies between."""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from billing.models import Balance, DirtyHour, Quota, UsageEvent
from gateway.control import kept_rows as rows
from gateway.control.drain import Drain
from gateway.control.kept import DatabaseKept
from gateway.control.models import KeptObject, PendingUse
from gateway.control.recovery import recover
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Hold
from gateway.journal.writer import JournalWriter
from gateway.kept.records import Pending
from gateway.types import Usage
from tests.factories import gateway as make
from tests.factories.kept import kept
from tests.gateway.control.drained import PERIOD, closed, opened

pytestmark = pytest.mark.django_db

MINE = make.key_entry()
USED = Usage(40, 2, 0, 20, 5)


def noted(request_id: str, *holds: Hold, id_: str = "resp_1", **changes: Any) -> None:
    """Note a response that is made in the background."""
    rows.keep(kept(id_, MINE, pending=True, **changes), Pending(request_id, 1, make.PRICE, holds))


@pytest.fixture
def quota() -> Quota:
    return Quota.objects.create(scope_kind="team", scope_id="team_a", metric="usd", window="month", capacity=10_000)


@pytest.mark.parametrize("dies", ["never", "before it closed", "after it closed"])
def test_the_truth_takes_the_place_of_what_was_charged_once(tmp_path: Path, quota: Quota, dies: str) -> None:
    hold = Hold(quota.pk, PERIOD, 500)
    journal = JournalWriter(tmp_path, "gw_1")
    journal.append(opened(1, holds=(hold,)))
    noted("req_1", hold)
    if dies != "before it closed":
        journal.append(closed(1, cost=500))
    assert not rows.settle("resp_1", USED, 130)  # the ledger does not know the attempt yet
    if dies == "never":
        Drain(JournalReader(tmp_path, "gw_1")).step()
    journal.close()
    if dies != "never":
        recover(lambda: recoverable(tmp_path))
    assert Balance.objects.get().settled == 500  # the most, until it is known better
    marked = DirtyHour.objects.count()
    assert [rows.settle("resp_1", USED, 130) for _ in range(2)] == [True, True]
    event = UsageEvent.objects.get()
    assert (event.cost_nano_usd, event.input_tokens, event.cached_tokens, event.output_tokens) == (130, 40, 2, 20)
    assert (event.status, event.code, event.estimated) == (200, "", False)
    assert Balance.objects.get().settled == 130 and DirtyHour.objects.count() == marked + 1
    assert not PendingUse.objects.exists() and not rows.found(["resp_1"], time.time())[0].pending


def test_what_nobody_can_tell_stays_as_it_was_charged(tmp_path: Path, quota: Quota) -> None:
    journal = JournalWriter(tmp_path, "gw_1")
    journal.append(opened(1, holds=(Hold(quota.pk, PERIOD, 500),)))
    journal.append(closed(1, cost=500))
    noted("req_1", Hold(quota.pk, PERIOD, 500))
    Drain(JournalReader(tmp_path, "gw_1")).step()
    assert rows.settle("resp_1", None, 0)
    assert UsageEvent.objects.get().cost_nano_usd == Balance.objects.get().settled == 500
    journal.close()


def test_each_is_asked_about_by_one_process_and_later_each_time_and_let_go_after_days() -> None:
    now = time.time()
    noted("req_1")
    assert rows.due(now + 1, 9) == []  # it was begun a moment ago
    assert [one.id for one in rows.due(now + 4, 9)] == ["resp_1"] and rows.due(now + 4, 9) == []
    waits, at = [], now + 4
    for _ in range(9):
        began = at
        while not rows.due(at, 9):
            at += 1
        waits.append(at - began)
    assert waits == sorted(waits) and waits[-1] == pytest.approx(300, abs=2)
    assert rows.due(now + rows.GIVE_UP.total_seconds() + 9, 9) == [] and not PendingUse.objects.exists()


def test_what_was_noted_is_found_again_until_it_is_deleted_or_expires() -> None:
    now = time.time()
    noted("req_1")
    [found] = rows.found(["resp_1", "resp_2"], now)
    assert (found.owner, found.upstream_id, found.pending) == (kept("resp_1", MINE).owner, "resp_1_upstream", True)
    told = rows.pending_of("resp_1")
    assert told == Pending("req_1", 1, make.PRICE, ())
    rows.ended("resp_1", USED, ["msg_1", "rs_1", "msg_1"])
    rows.ended("resp_1", None, ["msg_1"])
    assert [(one.input_tokens, one.output_tokens) for one in rows.makers(["msg_1"], now)["msg_1"]] == [(40, 20)]
    assert rows.names("prov_1", ["resp_1_upstream", "x"], now) == {"resp_1_upstream": "resp_1"}
    files = [kept(f"file_{n}", MINE, kind="file", expires_at=now + n) for n in (1, 2)]
    rows.together([partial(rows.keep, one, None) for one in files])
    assert {one.id for one in rows.listed("file", MINE, now)} == {"file_1", "file_2"}
    assert [one.id for one in rows.listed("file", MINE, now + 1.5)] == ["file_2"]
    assert rows.listed("file", make.key_entry("key_2", owner_id="user_2"), now) == []
    rows.forget("resp_1", now)
    assert rows.found(["resp_1"], now) == [] and rows.makers(["msg_1"], now) == {}
    assert not rows.sweep(now + 90_000)
    assert set(KeptObject.objects.values_list("pk", flat=True)) == {"resp_1"}  # it is still to be settled


def test_what_no_id_can_be_is_not_asked_for() -> None:
    store = DatabaseKept(None, time.time, "usual")  # type: ignore[arg-type]  # PostgreSQL would fail, and be away to all
    assert asyncio.run(store.find(["resp_\0"])) == {}
