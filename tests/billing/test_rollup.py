"""Roll-ups: any order, any number of times, late, in any time zone, by several workers: the same sums as the events."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import rollup
from billing.calendar import day_of
from billing.models import DirtyHour, RollupDay, RollupHour, RollupState, UsageEvent
from billing.models.rollups import DIMENSIONS
from tests.factories.billing import UsageEventFactory, mark_dirty

ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo", "America/Havana"]
DST_WEEKEND = datetime(2026, 10, 24, 18, tzinfo=UTC)  # clocks change in Berlin on the 25th, in Havana on 1 November
MEASURES = ("requests", "errors", "estimated", "input_tokens", "cached_tokens", "output_tokens", "cost_nano_usd")

moments = st.integers(0, 9 * 24 * 3600).map(lambda s: DST_WEEKEND + timedelta(seconds=s))
calls = st.fixed_dictionaries(
    {
        "at": moments,
        "team_id": st.sampled_from(["team_a", "team_b"]),
        "model_id": st.sampled_from(["mdl_a", "mdl_b"]),
        "application_id": st.sampled_from([None, "app_a"]),
        "status": st.sampled_from([200, 429, 499]),
        "estimated": st.booleans(),
        "cost_nano_usd": st.integers(0, 2**40),
        "input_tokens": st.integers(0, 200_000),
    }
)


def expected_days() -> dict[tuple[object, ...], Counter[str]]:
    sums: dict[tuple[object, ...], Counter[str]] = {}
    for event in UsageEvent.objects.all():
        place = (day_of(event.at), *(getattr(event, one) or "" for one in DIMENSIONS))
        have = sums.setdefault(place, Counter())
        have.update({"requests": 1, "errors": int(event.status >= 400), "estimated": int(event.estimated)})
        have.update({name: getattr(event, name) for name in MEASURES[3:]})
    return sums


def actual_days() -> dict[tuple[object, ...], Counter[str]]:
    return {
        (row.day, *(getattr(row, one) for one in DIMENSIONS)): Counter({name: getattr(row, name) for name in MEASURES})
        for row in RollupDay.objects.all()
    }


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(calls, max_size=8), min_size=1, max_size=4), zone=st.sampled_from(ZONES), again=st.data()
)
def test_days_equal_events_in_any_zone_and_order(batches, zone, again, settings) -> None:
    for table in (UsageEvent, DirtyHour, RollupHour, RollupDay, RollupState):
        table.objects.all().delete()
    settings.BILLING_TIME_ZONE = zone
    for batch in batches:
        for call in batch:
            UsageEventFactory(**call)
        if again.draw(st.booleans()):
            rollup.roll_up()
    for hour in list(DirtyHour.objects.values_list("hour", flat=True))[:2]:
        mark_dirty(hour)
    rollup.roll_up()
    assert actual_days() == expected_days()
    assert (
        RollupHour.objects.aggregate(s=Sum("cost_nano_usd"))["s"]
        == UsageEvent.objects.aggregate(s=Sum("cost_nano_usd"))["s"]
    )
    settings.BILLING_TIME_ZONE = again.draw(st.sampled_from(ZONES))
    if found := rollup.extent():
        rollup.rebuild(*found)
    assert actual_days() == expected_days()


@pytest.mark.django_db
def test_the_same_task_five_times_35_days_late() -> None:
    late = timezone.now() - timedelta(days=35)
    UsageEventFactory.create_batch(3, at=late, cost_nano_usd=7)
    for _ in range(5):
        mark_dirty(late)
        rollup.roll_up()
    assert RollupDay.objects.values_list("day", "requests", "cost_nano_usd").get() == (day_of(late), 3, 21)
    assert not DirtyHour.objects.exists()


@pytest.mark.django_db
def test_a_second_run_writes_nothing(django_assert_num_queries) -> None:
    UsageEventFactory()
    rollup.roll_up()
    version = RollupState.objects.get().version
    with django_assert_num_queries(3):  # nothing dirty: one look, and the stamp
        rollup.roll_up()
    assert RollupState.objects.get().version == version


@pytest.mark.django_db
def test_an_event_that_comes_meanwhile_stays_dirty(monkeypatch) -> None:
    """Setup: an event lands after its hour was read and before its mark is removed."""
    first = UsageEventFactory(cost_nano_usd=5)
    write = rollup._write_days

    def late_arrival(days) -> None:
        write(days)
        if UsageEvent.objects.count() == 1:
            UsageEventFactory(at=first.at, cost_nano_usd=6)

    monkeypatch.setattr(rollup, "_write_days", late_arrival)
    rollup.roll_up(patience_s=0.000001)
    rollup.roll_up()
    assert RollupDay.objects.get().cost_nano_usd == 11


@pytest.mark.django_db
def test_a_stale_sum_is_dropped(monkeypatch) -> None:
    """Setup: another worker writes between this one's read and its write."""
    event = UsageEventFactory(cost_nano_usd=5)
    read = rollup._sums

    def overtaken(events):
        sums = read(events)
        if not RollupHour.objects.exists():
            monkeypatch.setattr(rollup, "_sums", read)
            UsageEventFactory(at=event.at, cost_nano_usd=6)
            rollup.roll_up()
        return sums

    monkeypatch.setattr(rollup, "_sums", overtaken)
    rollup.roll_up()
    assert RollupHour.objects.get().cost_nano_usd == 11
    rollup.roll_up()
    assert (RollupHour.objects.get().cost_nano_usd, RollupDay.objects.get().cost_nano_usd) == (11, 11)


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_lose_nothing() -> None:
    start = datetime(2026, 11, 10, 12, tzinfo=UTC)
    stop, failures = threading.Event(), []

    def work() -> None:
        try:
            while not stop.wait(0.002):
                rollup.roll_up()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        for n in range(60):
            UsageEventFactory(at=start + timedelta(minutes=n * 7), cost_nano_usd=n, team_id=f"team_{n % 3}")
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)
    assert not failures
    rollup.roll_up()
    assert actual_days() == expected_days()
    assert not DirtyHour.objects.exists()


@pytest.mark.django_db
def test_data_until_moves_on_and_waits_for_the_work() -> None:
    assert rollup.data_until() is None
    rollup.roll_up()
    before = rollup.data_until()
    assert before is not None
    UsageEventFactory()
    assert rollup.data_until() <= before
    rollup.roll_up()
    assert rollup.data_until() >= before


@pytest.mark.django_db
def test_the_command_mends_damaged_sums(capsys) -> None:
    UsageEventFactory.create_batch(2, cost_nano_usd=10)
    rollup.roll_up()
    RollupDay.objects.update(cost_nano_usd=1)
    RollupHour.objects.update(cost_nano_usd=1)
    call_command("rebuild_rollups")
    assert "Rebuilt 1 hours." in capsys.readouterr().out
    assert RollupDay.objects.get().cost_nano_usd == 20
    RollupHour.objects.update(cost_nano_usd=1)
    day = day_of(timezone.now()).isoformat()
    call_command("rebuild_rollups", "--from", day, "--to", day)
    assert RollupHour.objects.get().cost_nano_usd == 20


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-01T00:00:00", "0001-01-01"])
def test_the_command_says_what_a_date_looks_like(text: str) -> None:
    with pytest.raises(CommandError, match=r"write 2026-11-01|has no time zone|out of range"):
        call_command("rebuild_rollups", "--from", text)


@pytest.mark.django_db
def test_ordinary_hours_are_written_briefly() -> None:
    """A write transaction for one busy hour (200 kinds of calls) takes at most 50 ms on SQLite."""
    if connection.vendor != "sqlite":
        pytest.skip("the promise is about SQLite")
    hour = datetime(2026, 11, 10, 12, tzinfo=UTC)
    wanted = {(f"team_{n}", "u", "k", "", "m", "p"): dict.fromkeys(rollup.MEASURES, 1) for n in range(200)}
    times = []
    for _ in range(3):
        RollupHour.objects.all().delete()
        version = rollup._version()
        began = datetime.now(ZoneInfo("UTC"))
        rollup._sync(RollupHour, {"hour": hour}, wanted, version)
        times.append((datetime.now(ZoneInfo("UTC")) - began).total_seconds())
    assert min(times) < 0.05
