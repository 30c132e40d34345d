"""Journals in the database: one owner writes groups of entries, until it is fenced and another one recovers them."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Min
from django.db.models.functions import Now

from billing.models import JournalGroup, JournalOwner

GROUPS = 500  # read together


class FencedError(Exception):
    """This owner was silent for so long that its journal was given to others. It must write nothing more, and end."""


def begin(incarnation: str) -> None:
    """Make the journal of a new gateway process."""
    JournalOwner.objects.create(incarnation=incarnation, seen_at=Now())


def commit(incarnation: str, data: bytes) -> int:
    """Append a group of entries, and beat; returns the offset after it. Without data it just beats. Raises FencedError."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_journalowner SET written = written + %s, seen_at = CURRENT_TIMESTAMP"
            " WHERE incarnation = %s AND NOT fenced RETURNING written",
            [len(data), incarnation],
        )
        owner = cursor.fetchone()
        if owner is None:
            raise FencedError(incarnation)
        if data:
            cursor.execute(
                "INSERT INTO billing_journalgroup (incarnation, upto, data) VALUES (%s, %s, %s)",
                [incarnation, owner[0], data],
            )
    return int(owner[0])


def fence(incarnation: str) -> None:
    """Take nothing more from an owner: by itself, when it ends."""
    JournalOwner.objects.filter(incarnation=incarnation).update(fenced=True)


def fence_silent(silent_s: float) -> None:
    """Take nothing more from owners that have not beaten for so long."""
    JournalOwner.objects.filter(fenced=False, seen_at__lt=Now() - timedelta(seconds=silent_s)).update(fenced=True)


def fenced() -> list[str]:
    """Name the journals that are to be recovered."""
    return list(JournalOwner.objects.filter(fenced=True).order_by("incarnation").values_list("incarnation", flat=True))


def read(incarnation: str, offset: int) -> Iterator[tuple[int, bytes]]:
    """Yield the groups that end beyond `offset`, each with the offset after it, a few hundred at most."""
    rows = JournalGroup.objects.filter(incarnation=incarnation, upto__gt=offset).order_by("upto")
    for upto, data in rows.values_list("upto", "data")[:GROUPS]:
        yield upto, bytes(data)


def end_of_group(incarnation: str, offset: int) -> int:
    """Return the offset after the group in which `offset` lies."""
    found = JournalGroup.objects.filter(incarnation=incarnation, upto__gte=offset).aggregate(end=Min("upto"))
    return int(found["end"] or offset)


def discard(incarnation: str, upto: int) -> None:
    """Delete the groups up to `upto`."""
    JournalGroup.objects.filter(incarnation=incarnation, upto__lte=upto).delete()


def disown(incarnation: str) -> None:
    """Say that a fenced journal is recovered; its owner, if it still runs, finds itself fenced."""
    JournalOwner.objects.filter(incarnation=incarnation, fenced=True).delete()


def forget(incarnation: str) -> None:
    """Delete a journal that is recovered."""
    with transaction.atomic():
        JournalGroup.objects.filter(incarnation=incarnation).delete()
        disown(incarnation)
