"""Filters that write usage and limits for people: `{% load usage %}`."""

from django import template
from django.conf import settings

from billing.actions.quotas import shown
from billing.asking import Asked
from billing.models import Quota, QuotaExtra
from billing.remaining import Remaining
from billing.standing import Standing
from gateway.money import NANO, format_usd

register = template.Library()
MICROS = 1000


@register.filter
def exact(nano: int | None) -> str:
    """Nano-USD to the last digit: `12.345678901 USD`."""
    return "" if nano is None else f"{format_usd(nano)} USD"


@register.filter
def precise(nano: int) -> str:
    """Nano-USD to the last digit, as a price: `$0.15`."""
    return f"${format_usd(nano)}"


@register.filter
def decimal(nano: int) -> str:
    """Nano-USD as the number of dollars that a chart draws."""
    return format_usd(nano)


@register.filter
def counted(count: int) -> str:
    """A whole count with its thousands apart: 12,345."""
    return f"{count:,}"


@register.filter
def milliseconds(count: int | None) -> str:
    """A duration: 420 ms, 3.2 s; a dash for what was not measured."""
    if not count:
        return "–"
    return f"{count} ms" if count < MICROS else f"{count / MICROS:.1f} s"


@register.filter
def microseconds(count: int) -> str:
    return f"{count} µs" if count < MICROS else f"{count / MICROS:.1f} ms"


@register.filter
def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1f} %"


@register.filter
def compared(asked: Asked) -> str:
    """Say what a change is measured against."""
    if asked.before is None:
        return ""
    return "against the same days of last month" if asked.period == "month" else "against the period before"


@register.filter
def limit_words(now: Remaining) -> str:
    """`$50.00 per month`, `600 requests per minute`, `5 calls at once`."""
    quota = now.quota
    if quota.metric == Quota.Metric.USD:
        whole, _, rest = format_usd(now.limit).partition(".")
        return f"${int(whole):,}.{rest} {quota.get_window_display()}"
    what = str(quota.get_metric_display()).lower()
    window = "" if quota.metric == Quota.Metric.CONCURRENT else f" {quota.get_window_display()}"
    return f"{now.limit:,} {what}{window}"


@register.filter
def standing_words(limit: Standing) -> str:
    """`$50.00 per month with Chat large`."""
    return limit_words(limit.now) + (f" with {limit.model}" if limit.model else "")


@register.filter
def crossed_title(limit: Standing) -> str:
    """`The budget of Search is used up`, `80 % of the requests of Search are used`."""
    what = "budget" if limit.now.is_money else str(limit.quota.get_metric_display()).lower()
    whose = f"{what} of {limit.name}" + (f" with {limit.model}" if limit.model else "")
    if limit.now.left == 0:
        return f"The {whose} {'is' if limit.now.is_money else 'are'} used up"
    return f"{limit.now.percent} % of the {whose} {'is' if limit.now.is_money else 'are'} used"


@register.filter
def crossed_words(limit: Standing) -> str:
    """Say how much is left of how much, until when, and what happens at the end."""
    now = limit.now
    amount = now.left or 0
    left = f"${format_usd(amount, 2 if amount >= NANO else 4)}" if now.is_money else f"{amount:,}"
    until = f", until {now.resets_at:%d %b %Y %H:%M} UTC" if now.resets_at else ""
    end = f"calls go on with {limit.step_down}" if limit.step_down else "calls are refused"
    if now.left == 0:
        return f"{end[0].upper()}{end[1:]}{until}."
    return f"{left} of {limit_words(now)} {'is' if now.is_money else 'are'} left{until}. Then {end}."


@register.filter
def any_changeable(limits: list[Standing]) -> bool:
    return any(limit.may_change for limit in limits)


@register.filter
def extra_words(now: Remaining) -> str:
    money = now.quota.metric == Quota.Metric.USD
    return f"{precise(now.extra) if money else format(now.extra, ',')} of it extra"


@register.filter
def extra_amount(extra: QuotaExtra) -> str:
    return shown(extra.quota.metric, extra.amount)


@register.simple_tag
def billing_time_zone() -> str:
    return str(settings.BILLING_TIME_ZONE)
