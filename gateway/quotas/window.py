"""Where the window of a quota begins and ends."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.snapshot import UNSET, QuotaPolicy, Window

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def bounds(window: Window, now: float, time_zone: str) -> tuple[int, int]:
    """Return (start, end) in epoch seconds of the window that `now` is in; the end belongs to the next one.

    Second, minute and hour are counted in UTC. Day, week (from Monday), month and quarter begin at midnight in
    `time_zone` (an IANA name; rates pass "UTC"), or at the first instant of a day that has no midnight.
    `total` is one window without end: (0, UNSET). Raises ZoneInfoNotFoundError for an unknown time zone.
    """
    if window == "total":
        return 0, UNSET
    length = _SECONDS.get(window)
    if length:
        start = int(now // length) * length
        return start, start + length
    return _calendar(window, now, time_zone)


def bounds_of(quota: QuotaPolicy, now: float, billing_time_zone: str) -> tuple[int, int]:
    """Return the window of `quota` at `now`: money's in the billing time zone, a rate's in UTC. A gauge has none."""
    if quota.metric == "concurrent":
        return 0, UNSET
    return bounds(quota.window, now, billing_time_zone if quota.metric == "usd" else "UTC")


def _calendar(window: Window, now: float, time_zone: str) -> tuple[int, int]:
    zone = ZoneInfo(time_zone)
    first, following = _FIRST[window], _FOLLOWING[window]
    day = first(datetime.fromtimestamp(now, UTC).astimezone(zone).date())
    while now >= _midnight(following(day), time_zone):  # clocks that went back over midnight show the old date again
        day = following(day)
    return _midnight(day, time_zone), _midnight(following(day), time_zone)


@lru_cache(maxsize=1024)
def _midnight(day: date, time_zone: str) -> int:
    """Return the first instant of `day`: where midnight is skipped, the instant at which the clocks jump."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).timestamp())


def _next_month(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def rate_bounds(quota: QuotaPolicy, now: float) -> tuple[int, int]:
    """Return the window of a rate or a gauge at `now`."""
    return bounds_of(quota, now, "UTC")


_FIRST: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
}
_FOLLOWING: dict[str, Callable[[date], date]] = {
    "day": lambda day: day + timedelta(days=1),
    "week": lambda day: day + timedelta(days=7),
    "month": lambda day: _next_month(day, 1),
    "quarter": lambda day: _next_month(day, 3),
}
