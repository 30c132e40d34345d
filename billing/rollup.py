"""Roll events up into hours and days: any order, any number of times, by several workers at once, with the same sums.

A sum is computed first, without a lock, and then written in one short transaction that goes through only if nobody
else wrote in between (`RollupState.version`). So no write is ever staler than the one before it. A `DirtyHour` goes
only after its hour and its days were written from what was read after it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.expressions import Value
from django.db.models.functions import Coalesce, TruncHour
from django.utils import timezone

from billing.calendar import DAY, HOUR, day_of, days_of_hour, hour_from, hour_of, start_of
from billing.models import DirtyHour, RollupDay, RollupHour, RollupState, UsageEvent
from billing.models.rollups import DIMENSIONS, Rollup

Place = tuple[str, ...]  # the values of DIMENSIONS
Sums = dict[str, int]
T = TypeVar("T")

SUMMED = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd",
)  # fmt: skip
COUNTED = ("requests", "errors", "estimated")
MEASURES = (*COUNTED, *SUMMED)
BATCH = 2000  # dirty rows looked at together
TOGETHER = 24  # hours after which their marks go
IDLE_STAMP = timedelta(seconds=10)
PATIENCE_S = 20.0


class OvertakenError(Exception):
    """Another worker wrote sums while these were computed: they are dropped, and the work is still to be done."""


def roll_up(patience_s: float = PATIENCE_S) -> int:
    """Roll up every hour that got new events; returns how many. Stops early when another worker is at it."""
    deadline, done = time.monotonic() + patience_s, 0
    while time.monotonic() < deadline:
        began = timezone.now()
        dirty = list(DirtyHour.objects.order_by("id").values_list("id", "hour")[:BATCH])
        if not dirty:
            _stamp(began)
            return done
        marks: dict[datetime, list[int]] = {}
        for one, hour in dirty:
            marks.setdefault(hour, []).append(one)
        hours = sorted(marks, reverse=True)  # what people look at now comes first, a backlog after it
        for some in (hours[n : n + TOGETHER] for n in range(0, len(hours), TOGETHER)):
            try:
                _write_hours(some)
                _write_days({day for hour in some for day in days_of_hour(hour)})
            except OvertakenError:
                return done
            DirtyHour.objects.filter(id__in=[one for hour in some for one in marks[hour]]).delete()
            done += len(some)
    return done


def rebuild(start: datetime, end: datetime) -> int:
    """Derive the hours and days of [start, end) anew from events, whatever is there now; returns how many hours.

    Days are rebuilt whole, and the day on either side too, so that a changed billing time zone leaves nothing behind.
    """
    first, last = hour_of(start), hour_from(end)
    events = UsageEvent.objects.between(first, last).annotate(starts=TruncHour("at"))
    hours = set(events.values_list("starts", flat=True).distinct())
    known = RollupHour._default_manager.filter(hour__gte=first, hour__lt=last).distinct()
    hours |= set(known.values_list("hour", flat=True))  # type: ignore[misc]  # the stubs see the abstract fields only
    begin, finish = day_of(first) - DAY, day_of(last) + DAY
    days = [begin + DAY * offset for offset in range((finish - begin).days + 1)]
    _insist(_write_hours, sorted(hours))
    _insist(_write_days, days)
    return len(hours)


def extent() -> tuple[datetime, datetime] | None:
    """Return when the first event was and when the last one has passed; None when there are none."""
    found = UsageEvent.objects.aggregate(first=Min("at"), last=Max("at"))
    return (found["first"], found["last"] + timedelta(microseconds=1)) if found["first"] else None


def data_until() -> datetime | None:
    """Return until when the sums hold every event; None before the first roll-up."""
    state = RollupState.objects.filter(id=1).values_list("data_until", flat=True).first()
    if state is not None and not DirtyHour.objects.exists():
        return timezone.now()
    return state


def _insist(write: Callable[[Iterable[T]], None], places: Iterable[T]) -> None:
    """Call `write` for each place until nobody overtook it."""
    for place in places:
        while True:
            try:
                write([place])
                break
            except OvertakenError:
                continue


def _write_hours(hours: Iterable[datetime]) -> None:
    for hour in hours:
        version = _version()
        wanted = _sums(UsageEvent.objects.between(hour, hour + HOUR))
        _sync(RollupHour, {"hour": hour}, wanted, version)


def _write_days(days: Iterable[date]) -> None:
    for day in days:
        version = _version()
        _sync(RollupDay, {"day": day}, _day_sums(start_of(day), start_of(day + DAY)), version)


def _day_sums(start: datetime, end: datetime) -> dict[Place, Sums]:
    """Add up the whole UTC hours of [start, end), and the events of the parts of hours at its edges."""
    first, last = hour_from(start), hour_of(end)
    whole = RollupHour._default_manager.filter(hour__gte=first, hour__lt=last)
    sums = _grouped(whole.values_list(*DIMENSIONS).annotate(*(Sum(one) for one in MEASURES)))
    for edge_start, edge_end in ((start, first), (last, end)):
        if edge_start < edge_end:
            for place, more in _sums(UsageEvent.objects.between(edge_start, edge_end)).items():
                have = sums.get(place)
                sums[place] = {name: have[name] + more[name] for name in MEASURES} if have else more
    return sums


def _sums(events: QuerySet[UsageEvent]) -> dict[Place, Sums]:
    dimensions = [Coalesce(F(one), Value("")) if one == "application_id" else F(one) for one in DIMENSIONS]
    counts = (Count("*"), Count("request_id", filter=Q(status__gte=400)), Count("request_id", filter=Q(estimated=True)))
    named = {f"d{n}": one for n, one in enumerate(dimensions)}
    measures = {f"m{n}": one for n, one in enumerate([*counts, *(Sum(one) for one in SUMMED)])}
    return _grouped(events.values(**named).annotate(**measures).values_list(*named, *measures))


def _grouped(rows: Iterable[Sequence[object]]) -> dict[Place, Sums]:
    size = len(DIMENSIONS)
    return {
        tuple(str(part) for part in row[:size]): {
            name: int(str(value)) for name, value in zip(MEASURES, row[size:], strict=True)
        }
        for row in rows
    }


def _sync(table: type[Rollup], slot: dict[str, datetime | date], wanted: dict[Place, Sums], version: int) -> None:
    """Make the rows of `slot` equal `wanted`, touching only those that differ.

    Raises OvertakenError if anybody wrote since `version` was read, which is before `wanted` was computed.
    """
    rows = table._default_manager.filter(**slot)
    present = {
        tuple(row[: len(DIMENSIONS)]): row[len(DIMENSIONS) :] for row in rows.values_list(*DIMENSIONS, *MEASURES, "id")
    }
    stale = [row[-1] for place, row in present.items() if place not in wanted]
    changed = [
        table(**slot, **dict(zip(DIMENSIONS, place, strict=True)), **sums)
        for place, sums in wanted.items()
        if place not in present or tuple(sums[name] for name in MEASURES) != tuple(present[place][:-1])
    ]
    if not stale and not changed:
        return
    with transaction.atomic():
        if not RollupState.objects.filter(id=1, version=version).update(version=version + 1):
            raise OvertakenError
        rows.filter(id__in=stale).delete()
        table._default_manager.bulk_create(
            changed, batch_size=500, update_conflicts=True, update_fields=MEASURES, unique_fields=[*slot, *DIMENSIONS]
        )


def _version() -> int:
    state, _ = RollupState.objects.get_or_create(id=1)
    return state.version


def _stamp(moment: datetime) -> None:
    due = Q(data_until__isnull=True) | Q(data_until__lt=moment - IDLE_STAMP)
    RollupState.objects.get_or_create(id=1)
    RollupState.objects.filter(due, id=1).update(data_until=moment)
