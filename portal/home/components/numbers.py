"""Filters that write money, counts and moments for people."""

import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from gateway.money import NANO, format_usd

register = template.Library()

MINUTE = 60
KILO = 1000


@register.filter
def usd(nano: int | None, places: int = 2) -> str:
    """Nano-USD as dollars; of an amount too small for `places` the first two digits that count: $0.00019."""
    if nano is None:
        return "–"
    sign, amount = ("-" if nano < 0 else ""), abs(int(nano))
    if 0 < amount < NANO // 10**places:
        step = 10 ** max(0, len(str(amount)) - 2)
        return f"{sign}${format_usd((amount + step // 2) // step * step)}"
    whole, _, rest = format_usd(amount, places).partition(".")
    return f"{sign}${int(whole):,}.{rest}" if rest else f"{sign}${int(whole):,}"


@register.filter
def compact(count: int | None) -> str:
    """A count with one decimal at most: 950, 12.4k, 3.1M."""
    if count is None:
        return "–"
    if abs(count) < KILO:
        return str(count)
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(count) >= size * 0.99995:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count)


@register.filter
def ago(moment: datetime.datetime | None) -> SafeString | str:
    """How long ago, or in how long, with the exact UTC time in the `<time>` element."""
    if moment is None:
        return "never"
    now = timezone.now()
    if abs((now - moment).total_seconds()) < MINUTE:
        words = "just now"
    else:
        words = f"{timesince(moment, now, depth=1)} ago" if moment <= now else f"in {timeuntil(moment, now, depth=1)}"
    return _time(moment, words)


@register.filter
def utc(moment: datetime.datetime | datetime.date | None, shape: str = "") -> SafeString | str:
    """A moment in UTC, minutes by default; `"seconds"` or `"day"` for finer or coarser."""
    if moment is None:
        return "–"
    if not isinstance(moment, datetime.datetime):
        return _time(moment, f"{moment.day} {moment:%b %Y}")
    at = moment.astimezone(datetime.UTC)
    day = f"{at.day} {at:%b %Y}"
    clock = {"": f", {at:%H:%M}", "seconds": f", {at:%H:%M:%S}", "day": ""}[shape]
    return _time(at, day + clock)


def _time(moment: datetime.datetime | datetime.date, words: str) -> SafeString:
    exact = (
        moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
        if isinstance(moment, datetime.datetime)
        else moment.isoformat()
    )
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', exact, words)
