"""Set, change and remove quotas; add to them for a while."""

from datetime import datetime

from django.utils import timezone

from billing.labels import RESOLVERS, labels
from billing.models import Balance, Quota, QuotaExtra
from gateway.money import format_usd
from portal.people.audit import Actor, Trail, recorded

LARGEST = 9_000_000_000 * 10**9  # gateway.money.MAX_USD in nano-USD: leaves room in 64 bits
WINDOWS: dict[str, tuple[str, ...]] = {
    "usd": ("day", "week", "month", "quarter", "total"),
    "requests": ("second", "minute", "hour", "day"),
    "input_tokens": ("second", "minute", "hour", "day"),
    "output_tokens": ("second", "minute", "hour", "day"),
    "total_tokens": ("second", "minute", "hour", "day"),
    "concurrent": ("total",),
}


class QuotaError(ValueError):
    """What was asked cannot be a quota; the message says why and what would do."""


def check_quota(scope_kind: str, metric: str, window: str, capacity: object) -> None:
    """Raise QuotaError unless scope, metric, window and capacity go together. Asks nothing of the database."""
    if scope_kind not in Quota.Scope.values:
        raise QuotaError(f'"{scope_kind}" has no limits; use one of {", ".join(Quota.Scope.values)}.')
    if metric not in WINDOWS:
        raise QuotaError(f'"{metric}" cannot be limited; use one of {", ".join(WINDOWS)}.')
    if window not in WINDOWS[metric]:
        what = Quota.Metric(metric).label
        raise QuotaError(f'{what} cannot be limited by "{window}"; use one of {", ".join(WINDOWS[metric])}.')
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise QuotaError("A limit is a whole number (for money: of nano-USD).")
    if not 0 <= capacity <= LARGEST:
        raise QuotaError("A limit is 0 or more, and for money at most 9,000,000,000 USD.")


def set_quota(*, actor: Actor, scope_kind: str, scope_id: str, metric: str, window: str, capacity: int) -> Quota:
    """Create the quota of this scope, metric and window, or change its capacity.

    `capacity` is nano-USD for `usd`, a count otherwise. A change never moves the window or forgets what is spent;
    setting what already holds writes nothing. Raises QuotaError with a sentence for people.
    """
    check_quota(scope_kind, metric, window, capacity)
    with recorded(actor, "quota:set", team_id=scope_id if scope_kind == "team" else "") as trail:
        place = {"scope_kind": scope_kind, "scope_id": scope_id, "metric": metric, "window": window}
        quota = Quota.objects.select_for_update().filter(**place).first()
        if quota is None:
            if scope_kind in RESOLVERS and not labels(scope_kind, [scope_id]):
                raise QuotaError(f'There is no {scope_kind} "{scope_id}".')
            quota, made = Quota.objects.get_or_create(**place, defaults={"capacity": capacity})
        else:
            made = False
        if not made and quota.capacity == capacity:
            trail.skip()
            return quota
        trail.target, trail.after = quota, described(quota) | {"capacity": shown(metric, capacity)}
        if not made:
            trail.before = described(quota)
            Quota.objects.filter(pk=quota.pk).update(capacity=capacity)
            quota.capacity = capacity
        publish(trail, quota)
    return quota


def remove_quota(*, actor: Actor, quota: Quota) -> None:
    """Remove a limit, with its extras and its balances; what was spent stays in the events."""
    with recorded(actor, "quota:remove", quota, team_id=team_of(quota)) as trail:
        list(Balance.objects.select_for_update().filter(quota=quota).order_by("id").values_list("id"))
        trail.before = described(quota)
        publish(trail, quota)
        Quota.objects.filter(pk=quota.pk).delete()


def add_extra(*, actor: Actor, quota: Quota, amount: int, until: datetime, request_id: str = "") -> QuotaExtra:
    """Add `amount` (nano-USD for money, a count otherwise) to a quota from now until `until`. Raises QuotaError."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= LARGEST:
        raise QuotaError("An extra is more than 0, and for money at most 9,000,000,000 USD.")
    if until <= timezone.now():
        raise QuotaError("An extra ends in the future.")
    with recorded(actor, "quota:add_extra", quota, team_id=team_of(quota)) as trail:
        extra = QuotaExtra.objects.create(quota=quota, amount=amount, until=until, request_id=request_id)
        trail.after = {"extra": extra.pk, "amount": shown(quota.metric, amount), "until": until.isoformat()}
        publish(trail, quota)
    return extra


def end_extra(*, actor: Actor, extra: QuotaExtra) -> None:
    """End an extra now; one that was ended before stays as it is."""
    quota, now = extra.quota, timezone.now()
    with recorded(actor, "quota:end_extra", quota, team_id=team_of(quota)) as trail:
        if not QuotaExtra.objects.filter(pk=extra.pk, ended_at__isnull=True).update(ended_at=now):
            trail.skip()
            return
        extra.ended_at = now
        amount = shown(quota.metric, extra.amount)
        trail.before = {"extra": extra.pk, "amount": amount, "until": extra.until.isoformat()}
        trail.after = {"extra": extra.pk, "ended": now.isoformat()}
        publish(trail, quota)


def publish(trail: Trail, quota: Quota) -> None:
    """Name the quota in the feed, and for a key's own quota the key: the gateway keeps those with the key."""
    trail.changed("quota", quota.pk)
    if quota.scope_kind == Quota.Scope.KEY:
        trail.changed("key", quota.scope_id)


def described(quota: Quota) -> dict[str, str]:
    """Return a quota as the audit trail keeps it."""
    return {
        "scope": f"{quota.scope_kind}:{quota.scope_id}",
        "metric": quota.metric,
        "window": quota.window,
        "capacity": shown(quota.metric, quota.capacity),
    }


def shown(metric: str, amount: int) -> str:
    """Write an amount of `metric`: exact USD for money, else the count."""
    return f"{format_usd(amount)} USD" if metric == "usd" else str(amount)


def team_of(quota: Quota) -> str:
    return quota.scope_id if quota.scope_kind == Quota.Scope.TEAM else ""
