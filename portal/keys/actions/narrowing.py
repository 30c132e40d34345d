"""Making a key smaller. Nothing makes one bigger: who needs more mints another, or asks for an exception."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from billing.models import Quota
from catalog.models import Model
from portal.keys import rules
from portal.keys.actions.keys import locked, set_limits
from portal.keys.authority import check_manages
from portal.keys.models import Key, KeyModel
from portal.keys.refusal import Refused
from portal.keys.rules import Limit
from portal.people.audit import Actor, Trail, recorded


def narrow_key(
    *,
    actor: Actor,
    key: Key,
    models: Iterable[Model] | None = None,
    expires_at: datetime | None = None,
    limits: Sequence[Limit] = (),
    data_class: str | None = None,
) -> bool:
    """Take models away, end the key earlier, add or lower limits, take its data for more careful; None and () change nothing.

    Returns False if nothing differs. Raises `Refused` for anything that would widen the key.
    """
    with recorded(actor, "key:narrow", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_manages(actor, key)
        if key.state(timezone.now()) in {"revoked", "expired"}:
            raise Refused(
                "The key stays as it is.", f"It is {key.state(timezone.now())}.", "Mint a new key.", code="not_active"
            )
        if models is not None:
            narrow_models(key, list(models), trail)
        if expires_at is not None and expires_at != key.expires_at:
            narrow_end(key, expires_at, trail)
        narrow_limits(actor, key, limits, trail)
        if data_class is not None and data_class != key.data_class:
            rules.check_floor(actor, rules.floor_of(key), data_class)
            trail.before["data_class"], trail.after["data_class"] = key.data_class, data_class
            Key.objects.filter(pk=key.pk).update(data_class=data_class)
        if not trail.after:
            trail.skip()
            return False
        trail.changed("key", key.pk)
    return True


def narrow_models(key: Key, models: list[Model], trail: Trail) -> None:
    """Leave only `models`, each of which the key may call now."""
    if not models:
        raise Refused("The key could call nothing.", "No model is chosen.", "Revoke it instead.", field="models")
    held = {model.pk: model.slug for model in key.named_models.all()}
    if key.all_models:
        rules.check_models(key.owner, key.team, models)
    beyond = [] if key.all_models else sorted(model.slug for model in models if model.pk not in held)
    if beyond:
        raise Refused(
            f"{', '.join(beyond)}: not in this key.",
            "A key can only lose models.",
            "Mint another key, or request the model for this one.",
            field="models",
            code="wider",
        )
    wanted = {model.pk: model.slug for model in models}
    if not key.all_models and wanted.keys() == held.keys():
        return
    trail.before["models"] = "all" if key.all_models else sorted(held.values())
    trail.after["models"] = sorted(wanted.values())
    KeyModel.objects.filter(key=key).exclude(model_id__in=wanted).delete()
    KeyModel.objects.bulk_create([KeyModel(key=key, model_id=pk) for pk in wanted.keys() - held.keys()])
    Key.objects.filter(pk=key.pk).update(all_models=False)


def narrow_end(key: Key, expires_at: datetime, trail: Trail) -> None:
    if expires_at > key.expires_at:
        raise Refused(
            "The key's end stays.", "A key can only end earlier.", "Mint a new key.", field="expires", code="wider"
        )
    rules.check_expiry(expires_at)
    trail.before["expires_at"], trail.after["expires_at"] = key.expires_at.isoformat(), expires_at.isoformat()
    Key.objects.filter(pk=key.pk).update(expires_at=expires_at)


def narrow_limits(actor: Actor, key: Key, limits: Sequence[Limit], trail: Trail) -> None:
    """Add limits and lower existing ones."""
    rules.check_limits(key.team, limits)
    present = {(quota.metric, quota.window): quota.capacity for quota in limits_of(key)}
    for metric, window, capacity in limits:
        now = present.get((metric, window))
        if now is not None and capacity > now:
            raise Refused(
                f"{metric}/{window} would rise.",
                f"It is {rules.in_words(metric, now)} now, and limits of a key can only be lowered.",
                "Request a higher limit.",
                field="limits",
                code="wider",
            )
    changed = [limit for limit in limits if present.get(limit[:2]) != limit[2]]
    if changed:
        set_limits(actor, key, changed)
        trail.before["limits"] = shown({(m, w): present[m, w] for m, w, _ in changed if (m, w) in present})
        trail.after["limits"] = shown({(m, w): capacity for m, w, capacity in changed})


def limits_of(key: Key) -> "list[Quota]":
    """Return the limits of the key itself, over all models."""
    return list(
        Quota.objects.filter(scope_kind=Quota.Scope.KEY, scope_id=key.pk, model_id="").order_by("metric", "window")
    )


def shown(limits: dict[tuple[str, str], int]) -> dict[str, Any]:
    return {f"{metric}/{window}": rules.in_words(metric, capacity) for (metric, window), capacity in limits.items()}
