"""Periods that people name: this month, the last one, the last 30 days; and what each is compared with."""

from collections.abc import Callable
from datetime import date

from billing.calendar import DAY

Span = tuple[date, date]  # first and last day, both included


def _month_before(day: date) -> date:
    return (day.replace(day=1) - DAY).replace(day=1)


def _quarter(day: date) -> date:
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


PRESETS: dict[str, tuple[str, Callable[[date], Span]]] = {
    "month": ("This month", lambda today: (today.replace(day=1), today)),
    "last-month": ("Last month", lambda today: (_month_before(today), today.replace(day=1) - DAY)),
    "7d": ("7 days", lambda today: (today - 6 * DAY, today)),
    "30d": ("30 days", lambda today: (today - 29 * DAY, today)),
    "quarter": ("This quarter", lambda today: (_quarter(today), today)),
    "year": ("This year", lambda today: (today.replace(month=1, day=1), today)),
}


def preset(name: str, today: date) -> Span:
    """Return the days of a preset. Raises KeyError for an unknown name."""
    return PRESETS[name][1](today)


def previous(span: Span, name: str = "") -> Span:
    """Return what `span` is compared with: of this month, the same days of the month before; else the days just before."""
    first, last = span
    if name in {"month", "last-month"}:
        start = _month_before(first)
        whole = (last + DAY).day == 1
        return start, first - DAY if whole else min(start + (last - first), first - DAY)
    return first - (last - first) - DAY, first - DAY
