"""Set, change and remove quotas; add to them for a while."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from billing.authority import check_raises, check_removes, check_sets, teams_of_scopes
from billing.models import Balance, Quota, QuotaExtra
from billing.quota_rules import (
    LARGEST,
    QuotaError,
    check_quota,
    check_scope,
    check_step_down,
    check_thresholds,
    default_thresholds,
    tells,
)
from catalog.models import Model
from gateway.money import format_usd
from portal.people.audit import Actor, Trail, recorded

CONTROL_ONLY = {"notify_percent", "by_lead"}  # gateways need not hear of these


def set_quota(
    *,
    actor: Actor,
    scope_kind: str,
    scope_id: str,
    metric: str,
    window: str,
    capacity: int,
    model_id: str = "",
    step_down_model_id: str | None = None,
    notify_percent: Sequence[int] | None = None,
) -> Quota:
    """Create the quota of this scope (× `model_id`), metric and window, or change it.

    `capacity` is nano-USD for `usd`, a count otherwise. `step_down_model_id`: the model that calls go on with once it is
    used up, "" for none; `notify_percent`: when people are told. None leaves these as they are. The quota keeps its id
    and with it its window, what is spent and what is on lease; setting what already holds writes nothing.
    Raises QuotaError with a sentence for people, PermissionDenied.
    """
    check_quota(scope_kind, metric, window, capacity, pair=bool(model_id))
    place = {"scope_kind": scope_kind, "scope_id": scope_id, "model_id": model_id, "metric": metric, "window": window}
    wanted: dict[str, Any] = {"capacity": capacity}
    if step_down_model_id is not None:
        wanted["step_down_model_id"] = step_down_model_id
    if notify_percent is not None:
        wanted["notify_percent"] = check_thresholds(metric, window, notify_percent)
    with recorded(actor, "quota:set", team_id=scope_id if scope_kind == "team" else "") as trail:
        quota = Quota.objects.select_for_update().filter(**place).first()
        differs = {name: value for name, value in wanted.items() if quota is None or getattr(quota, name) != value}
        by_lead = check_sets(actor, scope_kind, scope_id, quota, differs)
        _write(trail, place, quota, differs, by_lead)
        return _target(trail)


def set_key_quota(*, actor: Actor, key_id: str, metric: str, window: str, capacity: int) -> Quota:
    """Write a limit of a key, whose actions have checked that the actor may. Raises QuotaError."""
    check_quota("key", metric, window, capacity)
    place = {"scope_kind": "key", "scope_id": key_id, "model_id": "", "metric": metric, "window": window}
    with recorded(actor, "quota:set") as trail:
        quota = Quota.objects.select_for_update().filter(**place).first()
        differs = {"capacity": capacity} if quota is None or quota.capacity != capacity else {}
        _write(trail, place, quota, differs, quota is None or quota.by_lead)
        return _target(trail)


def remove_quota(*, actor: Actor, quota: Quota) -> None:
    """Remove a limit, with its extras and its balances; what was spent stays in the events."""
    with recorded(actor, "quota:remove", quota, team_id=team_of(quota)) as trail:
        check_removes(actor, Quota.objects.select_for_update().get(pk=quota.pk))
        list(Balance.objects.select_for_update().filter(quota=quota).order_by("id").values_list("id"))
        trail.before = described(quota)
        publish(trail, quota)
        Quota.objects.filter(pk=quota.pk).delete()


def add_extra(*, actor: Actor, quota: Quota, amount: int, until: datetime, request_id: str = "") -> QuotaExtra:
    """Add `amount` (nano-USD for money, a count otherwise) to a quota from now until `until`.

    `request_id` names the request that this was decided on. Raises QuotaError, PermissionDenied.
    """
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= LARGEST:
        raise QuotaError("An extra is more than 0, and for money at most 9,000,000,000 USD.")
    if until <= timezone.now():
        raise QuotaError("An extra ends in the future.")
    check_raises(actor, quota, decided=bool(request_id))
    with recorded(actor, "quota:add_extra", quota, team_id=team_of(quota)) as trail:
        extra = QuotaExtra.objects.create(quota=quota, amount=amount, until=until, request_id=request_id)
        trail.after = {"extra": extra.pk, "amount": shown(quota.metric, amount), "until": until.isoformat()}
        publish(trail, quota)
    return extra


def end_extra(*, actor: Actor, extra: QuotaExtra) -> None:
    """End an extra now; one that was ended before stays as it is. Raises PermissionDenied."""
    quota, now = extra.quota, timezone.now()
    check_raises(actor, quota, decided=bool(extra.request_id))
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


def described(quota: Quota) -> dict[str, Any]:
    """Return a quota as the audit trail keeps it."""
    slugs = dict(
        Model.objects.filter(pk__in=[quota.model_id, quota.step_down_model_id]).values_list("pk", "slug")
        if quota.model_id or quota.step_down_model_id
        else ()
    )
    told: dict[str, Any] = {
        "scope": f"{quota.scope_kind}:{quota.scope_id}",
        "metric": quota.metric,
        "window": quota.window,
        "capacity": shown(quota.metric, quota.capacity),
        "notify_percent": quota.notify_percent,
    }
    if quota.model_id:
        told["model"] = slugs.get(quota.model_id, quota.model_id)
    if quota.step_down_model_id:
        told["step_down"] = slugs.get(quota.step_down_model_id, quota.step_down_model_id)
    return told


def shown(metric: str, amount: int) -> str:
    """Write an amount of `metric`: exact USD for money, else the count."""
    return f"{format_usd(amount)} USD" if metric == "usd" else str(amount)


def team_of(quota: Quota) -> str:
    """Return the team that a quota's scope belongs to, or nothing."""
    return teams_of_scopes(quota.scope_kind, [quota.scope_id]).get(quota.scope_id, "")


def _write(trail: Trail, place: dict[str, str], quota: Quota | None, differs: dict[str, Any], by_lead: bool) -> None:
    """Create the quota of `place`, or change just what differs, inside the action's transaction."""
    check_step_down(differs.get("step_down_model_id", ""), place["scope_kind"], place["scope_id"], place["model_id"])
    if quota is None:
        check_scope(place["scope_kind"], place["scope_id"], place["model_id"])
        quota, made = Quota.objects.get_or_create(**place, defaults=_initial(place) | differs | {"by_lead": by_lead})
        if not made:  # somebody else set it a moment ago
            differs = {name: value for name, value in differs.items() if getattr(quota, name) != value}
    else:
        made = False
    trail.target, trail.team_id = quota, team_of(quota)
    if made:
        trail.after = described(quota)
        publish(trail, quota)
    elif not differs:
        trail.skip()
    else:
        trail.before = described(quota)
        if quota.by_lead and not by_lead:
            differs = differs | {"by_lead": False}  # who may set all has taken it over
        Quota.objects.filter(pk=quota.pk).update(**differs)
        for name, value in differs.items():
            setattr(quota, name, value)
        trail.after = described(quota)
        if differs.keys() - CONTROL_ONLY:
            publish(trail, quota)


def _initial(place: dict[str, str]) -> dict[str, Any]:
    tells_by_itself = tells(place["metric"], place["window"])
    return {"notify_percent": default_thresholds(place["metric"]) if tells_by_itself else []}


def _target(trail: Trail) -> Quota:
    assert isinstance(trail.target, Quota)  # noqa: S101  # narrows the type: `_write` sets it
    return trail.target
