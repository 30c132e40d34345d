"""Changing a key's secret. The key, its limits and its history stay.

Scheduled: the rotation is marked due and the owner told; the owner claims a new secret, which is pending until it is
first used; only then does the old one's time run out. The old secret never dies before that, unless a deadline was
announced. Emergency: the old secrets die at once.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from portal.keys.actions.keys import locked
from portal.keys.actions.secrets import draw_secret
from portal.keys.authority import check_manages
from portal.keys.models import Key, KeySecret
from portal.keys.notices import tell
from portal.keys.refusal import Refused
from portal.people.audit import Actor, recorded

Status = KeySecret.Status


def ask_rotation(*, actor: Actor, key: Key, deadline: datetime | None = None) -> bool:
    """Mark a rotation due and tell the owner. Returns False if it was due already and no deadline is given.

    `deadline`: the announced moment at which the present secret dies even if nobody claimed a new one.
    """
    with recorded(actor, "key:ask_rotation", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_manages(actor, key)
        check_live(key)
        if deadline is None and key.rotation_due_at is not None:
            trail.skip()
            return False
        now = timezone.now()
        if deadline is not None:
            check_deadline(deadline, now)
            key.secrets.filter(status=Status.CURRENT).update(valid_until=deadline)
            trail.changed("key", key.pk)
        Key.objects.filter(pk=key.pk).update(rotation_due_at=key.rotation_due_at or now)
        trail.after = {"due": now.isoformat(), "deadline": deadline.isoformat() if deadline else None}
        words = f'The key "{key.name}" is due for a new secret.'
        if deadline is not None:
            words += f" The present one stops working on {deadline:%d %b %Y at %H:%M} UTC."
        topic = f"key-rotation:{key.pk}:{(deadline or key.rotation_due_at or now):%Y%m%d%H%M%S}"
        tell(key.owner, topic, words, f"/keys/{key.pk}/rotate")
    return True


def claim_secret(*, actor: Actor, key: Key) -> str:
    """Give the owner a new secret, which is returned and kept nowhere. It is pending until its first use.

    A pending secret that was claimed before (and perhaps lost) dies. The caller has asked the owner to sign in again.
    """
    with recorded(actor, "key:claim_secret", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_holds(actor, key)
        check_live(key)
        replaced = key.secrets.filter(status=Status.PENDING).update(status=Status.DEAD)
        row, text = draw_secret(key, Status.PENDING)
        trail.after = {"secret": row.pk, "replaces_unused": bool(replaced)}
        trail.changed("key", key.pk)
    return text


def secret_first_used(*, actor: Actor, secret_id: str) -> bool:
    """Note that a pending secret was used: it is the current one now, and the old one's grace period begins.

    Returns False if it is not pending (any more); calling again changes nothing.
    """
    found = KeySecret.objects.select_related("key").filter(pk=secret_id, status=Status.PENDING).first()
    if found is None:
        return False
    with recorded(actor, "key:rotate", found.key, team_id=found.key.team_id) as trail:
        key = locked(found.key)
        secret = key.secrets.filter(pk=secret_id, status=Status.PENDING).first()
        if secret is None:
            trail.skip()
            return False
        now = timezone.now()
        grace = now + timedelta(hours=settings.KEY_OVERLAP_HOURS)
        for old in key.secrets.filter(status=Status.CURRENT):
            old.valid_until = min(old.valid_until or grace, grace)
            old.status = Status.RETIRING
            old.save(update_fields=["valid_until", "status"])
            trail.after["old_until"] = old.valid_until.isoformat()
        key.secrets.filter(pk=secret_id).update(status=Status.CURRENT, first_used_at=now)
        Key.objects.filter(pk=key.pk).update(rotation_due_at=None)
        trail.after["secret"] = secret_id
        trail.changed("key", key.pk)
    return True


def rotate_now(*, actor: Actor, key: Key) -> str:
    """Emergency: every secret of the key dies at once and a new one is returned, in force from now on."""
    with recorded(actor, "key:rotate_now", key, team_id=key.team_id) as trail:
        key = locked(key)
        check_holds(actor, key)
        check_live(key)
        ended = key.secrets.exclude(status=Status.DEAD).update(status=Status.DEAD)
        row, text = draw_secret(key, Status.CURRENT)
        Key.objects.filter(pk=key.pk).update(rotation_due_at=None)
        trail.after = {"secret": row.pk, "ended": ended}
        trail.changed("key", key.pk)
    return text


def check_holds(actor: Actor, key: Key) -> None:
    """Refuse everybody but the key's owner: a secret is shown to nobody else (a lead or an admin may revoke)."""
    if actor.user is not None and actor.user.pk != key.owner_id:
        raise Refused(
            "No new secret was made.",
            "Only the owner of a key may see its secret.",
            "Ask them to rotate it, or revoke the key.",
            code="not_yourself",
            forbidden=True,
        )


def check_live(key: Key) -> None:
    """Refuse keys that are blocked, revoked or expired."""
    state = key.state(timezone.now())
    if state != Key.Status.ACTIVE:
        raise Refused("The secret stays as it is.", f"The key is {state}.", "Mint a new key.", code="not_active")


def check_deadline(deadline: datetime, now: datetime) -> None:
    if deadline <= now:
        raise Refused("No rotation was asked for.", "The deadline is past.", "Choose a later one.", field="deadline")
