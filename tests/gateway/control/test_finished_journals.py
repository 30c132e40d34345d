"""Journals that are finished: their places in the database are forgotten, and nothing is charged again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing import escrow, ingest
from billing.models import Balance, JournalOffset, Quota, UsageEvent
from gateway.control.drain import Drain
from gateway.control.recovery import recover as recover_all
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Hold
from gateway.journal.writer import JournalWriter
from gateway.quotas.escrow import Ask
from tests.gateway.control.drained import AT, PERIOD, closed, opened


@pytest.fixture
def quota(db: None) -> Quota:
    return Quota.objects.create(scope_kind="team", scope_id="team_a", metric="usd", window="month", capacity=10_000)


def test_places_of_journals_that_are_long_finished_are_forgotten(quota: Quota) -> None:
    long_ago = AT - timedelta(days=8)
    for incarnation, finished, at in (
        ("gw_gone", True, long_ago), ("gw_just", True, AT), ("gw_lives", False, long_ago), ("gw_leases", True, long_ago),
    ):  # fmt: skip
        JournalOffset.objects.create(incarnation=incarnation, position="9", finished=finished, updated_at=at)
    escrow.lease("gw_leases", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])  # to be freed by its recovery
    assert ingest.forget_journals(AT - timedelta(days=7)) == 1
    left = set(JournalOffset.objects.values_list("incarnation", flat=True))
    assert left == {"gw_just", "gw_lives", "gw_leases"}


@pytest.mark.django_db
def test_a_journal_whose_place_was_forgotten_charges_nothing_twice(tmp_path: Path, quota: Quota) -> None:
    escrow.lease("gw_1", [[Ask(quota.pk, PERIOD, 10_000, 2_000)]])
    journal = JournalWriter(tmp_path, "gw_1")
    journal.append(opened(1, holds=(Hold(quota.pk, PERIOD, 500),)), closed(1))
    journal.close()
    Drain(JournalReader(tmp_path, "gw_1")).finish()
    ingest.forget_journals(datetime.now(UTC) + timedelta(days=1))
    assert not JournalOffset.objects.exists()
    dead = recoverable(tmp_path)
    assert [journal.incarnation for journal in dead] == ["gw_1"]
    recover_all(lambda: dead)
    assert UsageEvent.objects.count() == 1
    assert Balance.objects.values_list("settled", "leased").get() == (120, 0)
