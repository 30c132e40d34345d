"""What a refusal by a quota says: whose it is, how much is left, when there is more."""

from datetime import UTC, datetime
from math import ceil
from zoneinfo import ZoneInfo

from gateway.money import format_usd
from gateway.quotas.interface import Remaining
from gateway.quotas.slices import COMPANY_WIDE
from gateway.snapshot import UNSET, QuotaPolicy
from gateway.types import Principal

_EACH = {
    "second": "per-second",
    "minute": "per-minute",
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "quarter": "quarterly",
    "hour": "hourly",
    "total": "total",
}
_METRICS = {
    "requests": "requests",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "tokens",
    "concurrent": "calls at the same time",
}


def company_wide(quota: QuotaPolicy) -> bool:
    """Say whether a budget is the whole company's: who calls may know that it exists, but not how much is left."""
    return quota.metric == "usd" and quota.scope_kind in COMPANY_WIDE


def step_down_words(quota: QuotaPolicy, principal: Principal, asked: str, used: str) -> str:
    """Say why another model answers than the one that was asked for."""
    what = "budget" if quota.metric == "usd" else f"limit of {_METRICS[quota.metric]}"
    each = f"{_EACH[quota.window]} " if quota.metric != "concurrent" else ""
    return f"The {each}{what} of {_whose(quota, principal)} does not allow {asked} now, so {used} answers."


def budget_words(remaining: Remaining, asked_nano_usd: int, principal: Principal, time_zone: str) -> str:
    """Say why a budget refused a call."""
    quota = remaining.quota
    left, asked, limit = (_usd(amount) for amount in (remaining.left, asked_nano_usd, remaining.limit))
    each = _EACH[quota.window]
    if asked_nano_usd > remaining.limit and not company_wide(quota):
        end = "A smaller max_tokens or a shorter prompt makes it cheaper."
    elif remaining.resets_at >= UNSET:
        end = "It does not renew by itself."
    else:
        end = f"It renews on {_day(remaining.resets_at, time_zone)}."
    known = f"{left} USD of {limit} USD are left, and the call" if not company_wide(quota) else "it"
    return (
        f"The {each} budget of {_whose(quota, principal)} does not cover this call: {known} may cost up to {asked} USD. "
        f"{end} You can request more in the portal."
    )


def rate_words(remaining: Remaining, asked: int, principal: Principal, now: float) -> str:
    """Say why a rate refused a call."""
    quota = remaining.quota
    noun = _METRICS.get(quota.metric, quota.metric)
    per = "" if quota.metric == "concurrent" or quota.window == "total" else f" per {quota.window}"
    rule = f"The limit of {_whose(quota, principal)} is {remaining.limit:,} {noun}{per}"
    if asked > remaining.limit:
        return f"{rule}, and this call alone may use {asked:,}. Lower max_tokens, send less, or request more in the portal."
    used = f"{rule}, and {remaining.left:,} are left" if remaining.left else f"{rule}, and it is used up"
    if asked > 1:
        used += f" where this call may use {asked:,}"
    return f"{used}. Try again in {retry_after_s(remaining, now)} s, or request more in the portal."


def retry_after_s(remaining: Remaining, now: float) -> int:
    """Return the seconds after which another try may succeed: at least 1, at most a day."""
    return min(86_400, max(1, ceil(remaining.resets_at - now)))


def _whose(quota: QuotaPolicy, principal: Principal) -> str:
    return f"{_scope(quota, principal)}{' for this model' if quota.model_id is not None else ''}"


def _scope(quota: QuotaPolicy, principal: Principal) -> str:
    return {
        "organisation": "your organisation",
        "team": f"the team {principal.team.name}",
        "user": "this key's owner",
        "application": "this key's application",
        "key": f"the key {principal.key.display}",
        "model": "this model",
    }[quota.scope_kind]


def _usd(nano: int) -> str:
    """Show cents where they suffice, else all that matters."""
    return format_usd(nano, 2) if nano % 10_000_000 == 0 or nano >= 1_000_000_000_000 else format_usd(nano)


def _day(at: float, time_zone: str) -> str:
    moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(time_zone))
    return f"{moment:%Y-%m-%d at %H:%M} ({time_zone})"
