"""Minting, blocking and revoking keys. Gateways hear of every change by the change feed, within a second."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from billing.actions.quotas import set_key_quota
from catalog.models import Model
from gateway.money import format_usd
from portal.keys import rules
from portal.keys.actions.secrets import draw_secret
from portal.keys.authority import check_manages, check_stops
from portal.keys.models import Key, KeyModel, KeySecret
from portal.keys.notices import tell
from portal.keys.refusal import Refused
from portal.keys.rules import Limit
from portal.people.audit import Actor, recorded
from portal.people.models import Application, Membership, Team, User


def mint_key(
    *,
    actor: Actor,
    owner: User,
    team: Team,
    name: str,
    models: Iterable[Model] | None,
    expires_at: datetime,
    limits: Sequence[Limit] = (),
    kind: str = Key.Kind.PERSONAL,
    application: Application | None = None,
    data_class: str = "",
) -> tuple[Key, str]:
    """Make a key; returns it and its secret, which is kept nowhere and cannot be shown again.

    `models`: None stands for all that the team may use, now and later. `limits`: (metric, window, capacity), each at
    most the team's for the same metric and window. `data_class`: how careful its calls are to be taken at least.
    People mint for themselves; an actor without a person (a command, the configuration) also mints for somebody who is
    invited and has not signed in yet, if they belong to the team: the gateway therefore refuses owners who are blocked
    or left the team, not those who are invited.
    Raises `Refused`.
    """
    chosen = None if models is None else list(models)
    with recorded(actor, "key:mint", team_id=team.pk) as trail:
        User.objects.select_for_update().get(pk=owner.pk)  # two keys of one name cannot be minted at once
        check_minter(actor, owner, team, kind, application)
        for expired in Key.objects.filter(owner=owner, ended_at__isnull=True, expires_at__lte=timezone.now()):
            end_key(Actor("task"), expired)
        name = rules.check_name(owner, name)
        rules.check_expiry(expires_at)
        if chosen is not None:
            if not chosen:
                raise Refused(
                    "The key could call nothing.", "No model is chosen.", "Choose at least one.", field="models"
                )
            rules.check_models(owner, team, chosen)
        rules.check_limits(team, limits)
        if data_class:
            rules.check_floor(actor, application.data_class if application else "", data_class)
        long_lived = expires_at - timezone.now() > timedelta(days=settings.KEY_ROTATE_DAYS)
        key = Key.objects.create(
            name=name,
            kind=kind,
            owner=owner,
            team=team,
            application=application,
            all_models=chosen is None,
            data_class=data_class,
            expires_at=expires_at,
            rotate_every_days=settings.KEY_ROTATE_DAYS if long_lived else None,
        )
        KeyModel.objects.bulk_create([KeyModel(key=key, model=model) for model in chosen or ()])
        _, secret = draw_secret(key, KeySecret.Status.CURRENT)
        set_limits(actor, key, limits)
        trail.target = key
        trail.after = described(key, chosen, limits)
        trail.changed("key", key.pk)
    return key, secret


def check_minter(actor: Actor, owner: User, team: Team, kind: str, application: Application | None) -> None:
    """Refuse who mints for somebody else, and service keys of applications that the minter does not answer for."""
    if actor.user is not None and actor.user.pk != owner.pk:
        raise Refused(
            "No key was minted.",
            "A key belongs to whoever mints it.",
            "Ask them to mint it themselves.",
            field="owner",
            code="not_yourself",
            forbidden=True,
        )
    rules.check_owner(owner, by_themselves=actor.user is not None)
    rules.check_team(owner, team)
    if (kind == Key.Kind.SERVICE) != (application is not None):
        raise Refused(
            "No key was minted.",
            "A service key belongs to an application, other keys to a person.",
            "Name the application.",
            field="application",
        )
    if application is None:
        return
    if application.team_id != team.pk:
        raise Refused(
            "No key was minted.",
            f"{application.name} belongs to another team.",
            "Choose an application of this team.",
            field="application",
        )
    leads = Membership.objects.filter(team=team, user=owner, role=Membership.Role.LEAD).exists()
    if actor.user is not None and application.owner_id != owner.pk and not leads:
        raise Refused(
            "No key was minted.",
            "Service keys are minted by the application's owner or the team's lead.",
            "Ask one of them.",
            field="application",
            forbidden=True,
        )


def set_limits(actor: Actor, key: Key, limits: Sequence[Limit]) -> None:
    """Write each limit as a quota of the key."""
    for metric, window, capacity in limits:
        set_key_quota(actor=actor, key_id=key.pk, metric=metric, window=window, capacity=capacity)


def described(key: Key, models: Iterable[Model] | None, limits: Sequence[Limit]) -> dict[str, Any]:
    """Return what the audit trail says about a key: no secret, not even a part of one."""
    return {
        "name": key.name,
        "kind": key.kind,
        "owner": key.owner.email,
        "team": key.team.slug,
        "application": key.application.slug if key.application else None,
        "models": "all" if models is None else sorted(model.slug for model in models),
        "expires_at": key.expires_at.isoformat(),
        "limits": {f"{m}/{w}": format_usd(c) if m == "usd" else c for m, w, c in limits},
        "data_class": key.data_class,
    }


def locked(key: Key) -> Key:
    """Return the key as it is now, its row locked until the transaction ends."""
    return Key.objects.select_for_update(of=("self",)).select_related("owner", "team", "application").get(pk=key.pk)


def end_key(actor: Actor, key: Key) -> bool:
    """Write down that a key's time has run out and tell its owner: its name is free again."""
    with recorded(actor, "key:expire", key, team_id=key.team_id) as trail:
        key = locked(key)
        if key.ended_at is not None or key.expires_at > timezone.now():
            trail.skip()
            return False
        Key.objects.filter(pk=key.pk).update(ended_at=timezone.now())
        trail.after = {"expired_at": key.expires_at.isoformat()}
        trail.changed("key", key.pk)
        if key.owner.status == User.Status.ACTIVE:
            words = f'Your key "{key.name}" has expired. Mint a new one if you still need it.'
            tell(key.owner, f"key-expired:{key.pk}", words, f"/keys/{key.pk}")
    return True


def revoke_key(*, actor: Actor, key: Key, reason: str = "") -> bool:
    """Revoke for good: calls are refused within a second. Returns False if it was revoked before.

    Its secrets stay known, so that whoever still calls with one is told that the key was revoked.
    """
    with recorded(actor, "key:revoke", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_manages(actor, key)
        if key.status == Key.Status.REVOKED:
            trail.skip()
            return False
        trail.before = {"status": key.status}
        now = timezone.now()
        Key.objects.filter(pk=key.pk).update(status=Key.Status.REVOKED, revoked_at=now, ended_at=key.ended_at or now)
        trail.after = {"status": Key.Status.REVOKED, **({"reason": reason} if reason else {})}
        trail.changed("key", key.pk)
    return True


def block_key(*, actor: Actor, key: Key, reason: str) -> None:
    """Stop a key until somebody unblocks it. `reason` is told to whoever calls with it."""
    reason = reason.strip()[:200]
    if not reason:
        raise Refused("The key was not blocked.", "Its owner will want to know why.", "Give a reason.", field="reason")
    with recorded(actor, "key:block", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_stops(actor, key)
        if key.status != Key.Status.ACTIVE:
            raise Refused(
                "The key was not blocked.", f"It is {key.status}.", "Nothing needs to be done.", code="not_active"
            )
        Key.objects.filter(pk=key.pk).update(status=Key.Status.BLOCKED, blocked_reason=reason)
        trail.before, trail.after = {"status": key.status}, {"status": Key.Status.BLOCKED, "reason": reason}
        trail.changed("key", key.pk)


def unblock_key(*, actor: Actor, key: Key) -> None:
    """Let a blocked key work again."""
    with recorded(actor, "key:unblock", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_stops(actor, key)
        if key.status != Key.Status.BLOCKED:
            raise Refused(
                "The key was not unblocked.", f"It is {key.status}.", "Nothing needs to be done.", code="not_blocked"
            )
        Key.objects.filter(pk=key.pk).update(status=Key.Status.ACTIVE, blocked_reason="")
        trail.before = {"status": key.status, "reason": key.blocked_reason}
        trail.after = {"status": Key.Status.ACTIVE}
        trail.changed("key", key.pk)
