"""Everything that the page of one key says: what it may call, what is left of its limits, its secrets, its history."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from billing.calendar import today
from billing.models import RollupDay
from catalog.access import usable_by
from catalog.models import Model
from portal.keys.models import Key, KeySecret
from portal.people.access import Viewer, viewer_of
from portal.people.models import AuditEvent

HISTORY = 20
ACTIONS = {
    "mint": "Minted",
    "narrow": "Narrowed",
    "block": "Blocked",
    "unblock": "Unblocked",
    "revoke": "Revoked",
    "expire": "Expired",
    "ask_rotation": "Asked for a new secret",
    "claim_secret": "New secret claimed",
    "rotate": "New secret used for the first time",
    "rotate_now": "Secret replaced at once",
    "end_secret": "Old secret ended",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a key's history."""

    at: datetime
    what: str
    who: str
    why: str


def callable_models(key: Key) -> list[Model]:
    """Return the models that the key can call today: its own, as far as its team and its owner still have them."""
    usable = usable_by(viewer_of(key.owner), key.team)
    if not key.all_models:
        usable = usable.filter(key_models__key=key)
    return list(usable.order_by("display_name"))


def secrets_of(key: Key) -> list[KeySecret]:
    """Return the secrets that still matter, the newest first; none of a key that is over."""
    if key.state(timezone.now()) in {"revoked", "expired"}:
        return []
    return list(key.secrets.exclude(status=KeySecret.Status.DEAD).order_by("-created_at"))


def scopes_of(key: Key) -> list[tuple[str, str]]:
    """Return the scopes whose limits hold for the key, the nearest first."""
    application = [("application", key.application_id)] if key.application_id else []
    return [
        ("key", key.pk), *application, ("user", key.owner_id), ("team", key.team_id),
        ("organisation", settings.ORGANISATION_ID),
    ]  # fmt: skip


def spent_this_month(key: Key) -> dict[str, int]:
    """Return what the key has cost (nano-USD) and how often it was used since the first of the month."""
    rows = RollupDay.objects.filter(key_id=key.pk, day__gte=today().replace(day=1))
    sums = rows.aggregate(cost=Sum("cost_nano_usd"), requests=Sum("requests"))
    return {"cost": sums["cost"] or 0, "requests": sums["requests"] or 0}


def usage_address(key: Key) -> str:
    """Return the address of the calls behind those figures."""
    first, last = today().replace(day=1), today()
    return f"{reverse('billing-usage-list')}?key={key.pk}&from={first.isoformat()}&to={last.isoformat()}"


def history_of(key: Key) -> list[Line]:
    """Return the latest lines of the audit trail about this key, in words."""
    events = AuditEvent.objects.filter(target_kind="key", target_id=key.pk)[:HISTORY]
    return [
        Line(event.at, ACTIONS.get(action, action.replace("_", " ").capitalize()), event.actor_label, reason_in(event))
        for event in events
        if (action := event.event.rsplit(":", 1)[-1])
    ]


def reason_in(event: AuditEvent) -> str:
    return str(event.after.get("reason", "")) if isinstance(event.after, dict) else ""


def choices_of(viewer: Viewer, key: Key) -> dict[str, bool]:
    """Say which buttons the page has for this viewer."""
    state = key.state(timezone.now())
    live = state == "active"
    same = Key.objects.filter(pk=key.pk)
    manages, stops = same.manageable_by(viewer).exists(), same.stoppable_by(viewer).exists()
    owns = key.owner_id == viewer.user.pk
    return {
        "revoke": manages and state != "revoked",
        "narrow": manages and live,
        "rotate": owns and live,
        "ask_rotation": manages and not owns and live,
        "block": stops and live,
        "unblock": stops and state == "blocked",
        "request": owns and live,
    }
