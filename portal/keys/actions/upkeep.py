"""What time does to keys and exceptions. The gateway enforces every end by itself; this writes down that it came.

Each function derives its work from the database: run twice, out of order or weeks late it does the same.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from portal.keys.actions.decisions import end_exception
from portal.keys.actions.keys import end_key
from portal.keys.actions.rotation import ask_rotation
from portal.keys.models import Approval, Key, KeySecret, Notice
from portal.keys.notices import tell
from portal.keys.refusal import Refused
from portal.people.audit import Actor, recorded
from portal.people.models import User

BATCH: Final = 500  # rows of one transaction's worth of looking; the next run takes the next ones
NOTICE_DAYS: Final = (1, 7, 30)


def end_expired_keys(actor: Actor) -> int:
    """Mark keys whose time has run out, each with its audit row, and tell their owners; returns how many."""
    due = Key.objects.filter(ended_at__isnull=True, expires_at__lte=timezone.now()).select_related("owner")
    return sum(end_key(actor, key) for key in due.order_by("expires_at")[:BATCH])


def end_retired_secrets(actor: Actor) -> int:
    """Bury secrets whose grace period is over; returns how many."""
    due = KeySecret.objects.filter(status=KeySecret.Status.RETIRING, valid_until__lte=timezone.now())
    return sum(end_secret(actor, secret) for secret in due.select_related("key").order_by("valid_until")[:BATCH])


def end_secret(actor: Actor, secret: KeySecret) -> bool:
    key = secret.key
    with recorded(actor, "key:end_secret", key, team_id=key.team_id) as trail:
        retiring = KeySecret.objects.filter(pk=secret.pk, status=KeySecret.Status.RETIRING)
        if not retiring.update(status=KeySecret.Status.DEAD):
            trail.skip()
            return False
        trail.after = {"secret": secret.pk}
        trail.changed("key", key.pk)
    return True


def end_exceptions(actor: Actor) -> int:
    """Write down the end of exceptions that ran out; returns how many."""
    due = Approval.objects.filter(approved=True, ended_at__isnull=True, until__lte=timezone.now())
    return sum(end_exception(actor=actor, approval=approval) for approval in due.order_by("until")[:BATCH])


def mark_rotations_due(actor: Actor) -> int:
    """Ask the owners of keys whose secret has served its time to claim a new one; returns how many were asked."""
    return sum(asked(actor, key) for key in rotations_due(timezone.now()))


def rotations_due(now: datetime) -> "Iterator[Key]":
    """Yield live keys, not asked yet, with no claimed secret waiting, whose current secret is older than they allow."""
    secrets = KeySecret.objects.filter(key=OuterRef("pk"))
    waiting = Exists(secrets.filter(status=KeySecret.Status.PENDING))
    rows = Key.objects.live(now).filter(~waiting, rotation_due_at__isnull=True).order_by("pk")
    for days in (
        Key.objects.filter(rotate_every_days__isnull=False).values_list("rotate_every_days", flat=True).distinct()
    ):
        old = secrets.filter(status=KeySecret.Status.CURRENT, created_at__lte=now - timedelta(days=days or 0))
        yield from rows.filter(Exists(old), rotate_every_days=days)[:BATCH]


def asked(actor: Actor, key: Key) -> bool:
    try:
        return ask_rotation(actor=actor, key=key)
    except Refused:  # revoked, blocked or expired between the look and the lock
        return False


def send_expiry_notices() -> int:
    """Tell owners 30, 7 and 1 days before a key ends, each once; returns how many were told.

    Only the nearest of the three is told, so that a run that comes late sends one notice and not three. A key that lives
    no longer than a distance gets no notice of that distance.
    """
    now = timezone.now()
    told = 0
    for longer, days in zip((0, *NOTICE_DAYS), NOTICE_DAYS, strict=False):
        reach = Key.objects.live(now).filter(
            expires_at__gt=now + timedelta(days=longer), expires_at__lte=now + timedelta(days=days)
        )
        told += sum(told_of_end(key, days) for key in untold(reach, days))
    return told


def untold(keys: "QuerySet[Key]", days: int) -> "QuerySet[Key]":
    """Narrow to keys of active owners that were not told of this distance and lived long before it."""
    topic = Concat(Value("key-expiry:"), OuterRef("pk"), Value(f":{days}"))
    notices = Notice.objects.filter(user=OuterRef("owner_id"), topic=topic)
    lived = keys.filter(created_at__lt=F("expires_at") - timedelta(days=days), owner__status=User.Status.ACTIVE)
    return lived.filter(~Exists(notices)).select_related("owner").order_by("expires_at")[:BATCH]


def told_of_end(key: Key, days: int) -> bool:
    when = "within a day" if days == 1 else f"in {days} days or less"
    words = f'Your key "{key.name}" ends {when}: on {key.expires_at:%d %b %Y at %H:%M} UTC. Mint a new one in time.'
    tell(key.owner, f"key-expiry:{key.pk}:{days}", words, f"/keys/{key.pk}")
    return True
