"""Sums of spend, read from the coarsest table that can answer exactly: days, else hours, else events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, TruncDate, TruncHour, TruncMonth

from billing.calendar import DAY, HOUR, day_of, hour_of
from billing.filters import OUTCOMES, Filters
from billing.models import RollupDay, RollupHour, UsageEvent
from portal.people.access import Viewer
from portal.people.models import Team

NO_COST_CENTRE = "-"
ROLLED = {
    "cost": Sum("cost_nano_usd"), "calls": Sum("requests"), "failed": Sum("errors"),
    "tokens_in": Sum("input_tokens"), "tokens_out": Sum("output_tokens"),
}  # fmt: skip
RAW = ROLLED | {"calls": Count("request_id"), "failed": Count("request_id", filter=Q(status__gte=400))}


@dataclass(frozen=True, slots=True)
class Figures:
    """Exact sums. `cost` is nano-USD."""

    cost: int = 0
    calls: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return figures({name: getattr(self, name) + getattr(other, name) for name in ROLLED})

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def figures(row: dict[str, Any]) -> Figures:
    """Make figures of a row of sums; what has no rows sums up to 0."""
    return Figures(**{name: int(row[name] or 0) for name in ROLLED})


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that may be seen, and how they are summed and put into buckets of time."""

    rows: QuerySet[Any]
    measures: dict[str, Any]
    buckets: dict[str, Any]

    def total(self) -> Figures:
        return figures(self.rows.aggregate(**self.measures))

    def grouped(self, dimension: str) -> QuerySet[Any, dict[str, Any]]:
        """Return sums of each value (`one`) of a dimension, dearest first; lazy, so that it can be paged."""
        named = self.rows.annotate(one=_one(dimension)).values("one")
        found: QuerySet[Any, dict[str, Any]] = named.annotate(**self.measures).order_by("-cost", "one")
        return found

    def lines(self, dimension: str, ids: Sequence[str] | None = None) -> list[tuple[str, Figures]]:
        """Return (id, sums) of each value of a dimension, dearest first; of `ids` only where given."""
        found = self.grouped(dimension)
        return [(row["one"], figures(row)) for row in (found if ids is None else found.filter(one__in=ids))]

    def over_time(self, interval: str) -> dict[date, Figures]:
        """Return the sums of each bucket that has any."""
        found = self.rows.values(bucket=self.buckets[interval]).annotate(**self.measures)
        return {row["bucket"]: figures(row) for row in found}

    def by_bucket(self, interval: str, dimension: str) -> QuerySet[Any, dict[str, Any]]:
        """Return sums of each bucket and value (`bucket`, `one`) in order of time, dearest first."""
        named = self.rows.annotate(one=_one(dimension)).values("one", bucket=self.buckets[interval])
        found: QuerySet[Any, dict[str, Any]] = named.annotate(**self.measures).order_by("bucket", "-cost", "one")
        return found

    def cost_over_time(self, interval: str, dimension: str, ids: Iterable[str]) -> dict[tuple[date, str], int]:
        """Return nano-USD by (bucket, id) for the given values of a dimension."""
        rows = self.rows.annotate(one=_one(dimension)).filter(one__in=list(ids))
        found = rows.values("one", bucket=self.buckets[interval]).annotate(cost=Sum("cost_nano_usd"))
        return {(row["bucket"], row["one"]): int(row["cost"]) for row in found}


def _one(dimension: str) -> F | Coalesce:
    """Return what names a value of a dimension: an id, "" for a call without an application (events say NULL there)."""
    return Coalesce(F("application_id"), Value("")) if dimension == "application" else F(f"{dimension}_id")


def source(viewer: Viewer, filters: Filters, interval: str = "") -> Source:
    """Choose the rows for a question; whatever is chosen, the sums are the same."""
    days = filters.days
    aligned = hour_of(filters.start) == filters.start and hour_of(filters.end) == filters.end
    zone = ZoneInfo(settings.BILLING_TIME_ZONE)
    if days and interval != "hour" and not filters.outcome:
        rolled = RollupDay.objects.visible_to(viewer).between("day", *days)
        return Source(filters.narrow(rolled), ROLLED, {"day": F("day"), "month": TruncMonth("day")})
    if aligned and not filters.outcome:
        rolled = RollupHour.objects.visible_to(viewer).between("hour", filters.start, filters.end - HOUR)
        return Source(filters.narrow(rolled), ROLLED, {"hour": F("hour"), "day": TruncDate("hour", tzinfo=zone)})
    return Source(events(viewer, filters), RAW, {"hour": TruncHour("at"), "day": TruncDate("at", tzinfo=zone)})


def events(viewer: Viewer, filters: Filters) -> QuerySet[UsageEvent]:
    """Return the requests behind a figure."""
    rows = UsageEvent.objects.between(filters.start, filters.end).visible_to(viewer)
    return filters.narrow(rows.filter(OUTCOMES[filters.outcome]) if filters.outcome else rows)


def tally(viewer: Viewer, filters: Filters) -> tuple[int, int | None]:
    """Return how many requests there are and what they cost (nano-USD).

    What only the failed ones cost is not kept by day: over more than a day it is None, and never a scan of every event.
    """
    if not filters.outcome or filters.end - filters.start <= DAY:
        total = source(viewer, filters).total()
        return total.calls, total.cost
    total = source(viewer, replace(filters, outcome="")).total()
    return (total.failed if filters.outcome == "errors" else total.calls - total.failed), None


def by_cost_centre(lines: Iterable[tuple[str, Figures]]) -> list[tuple[str, Figures]]:
    """Add lines of teams up by the cost centre's code; "-" has those without one."""
    codes = centres()
    sums: dict[str, Figures] = {}
    for team, line in lines:
        code = codes.get(team, NO_COST_CENTRE)
        sums[code] = sums.get(code, Figures()) + line
    return sorted(sums.items(), key=lambda one: (-one[1].cost, one[0]))


def centres() -> dict[str, str]:
    """Return team id → its cost centre's code."""
    rows = Team.objects.exclude(cost_centre=None).values_list("id", "cost_centre__code")
    return {team: code for team, code in rows if code}


def moments(filters: Filters, interval: str, until: datetime) -> list[date]:
    """Return every bucket of the period, oldest first; days and hours that have not begun by `until` are left out."""
    end = min(filters.end, until)
    if interval == "hour":
        first = hour_of(filters.start)
        return [first + HOUR * n for n in range(max(0, -((first - end) // HOUR)))]
    first_day, last_day = day_of(filters.start), day_of(end - timedelta(microseconds=1))
    days = [first_day + DAY * n for n in range((last_day - first_day).days + 1)]
    return days if interval == "day" else sorted({day.replace(day=1) for day in days})
