"""Usage comes in: one transaction inserts events, settles their cost and stores how far the journal was drained."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from billing import bulk, escrow
from billing.bulk import Attempt, Name
from billing.models import JournalOffset, Lease
from gateway.journal.records import Closed, Opened

RECOVERED = "recovered"  # the code of an attempt that was opened, and whose end nobody saw


class OvertakenError(Exception):
    """Somebody else moved this journal's offset since it was read: what was done here is undone."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one drain did: attempts inserted, and of each balance the cost settled and by how much its lease shrank."""

    inserted: Collection[Attempt]
    settled: Mapping[escrow.Slot, int]
    shrunk: Mapping[escrow.Slot, int]
    doubted: bool = False  # nobody saw by how much leases shrank: the ledger has to be asked


@dataclass(frozen=True, slots=True)
class Place:
    """How far a journal is drained, and (encoded by the drain) the entries before it that still have no end."""

    position: str
    carried: bytes = b""


def place_of(incarnation: str) -> Place:
    """Return where the drain of a journal stands; it begins at "0"."""
    row, _ = JournalOffset.objects.get_or_create(
        incarnation=incarnation, defaults={"position": "0", "updated_at": timezone.now()}
    )
    return Place(row.position, bytes(row.carried))


def ingest(
    incarnation: str, attempts: Mapping[Name, Attempt], before: Place, after: Place, *, finished: bool = False
) -> Ingested:
    """Insert the events of `attempts`, settle what was really inserted, and move the journal from `before` to `after`.

    Idempotent: an event that is there already changes nothing. Raises OvertakenError, with nothing done, when the
    journal is not at `before` any more.
    """
    with transaction.atomic():
        known = bulk.insert(attempts)
        fresh = [attempt for name, attempt in attempts.items() if name not in known] if known else attempts.values()
        bulk.mark_hours({opened.at_ms // bulk.HOUR_MS for opened, _ in fresh})
        costs = costs_of(fresh)
        shrunk = escrow.settle(incarnation, costs) if costs else {}
        if not _moved(incarnation, before, after, finished):
            raise OvertakenError(f"the journal {incarnation} is drained by another process, too")
    return Ingested(fresh, costs, shrunk)


def forget_journals(before: datetime) -> int:
    """Delete the places of journals that were finished before then and hold no lease; returns how many.

    Each gateway process has one. Should such a journal be drained again, its events are found there.
    """
    leasing = Lease.objects.values("incarnation")
    finished = JournalOffset.objects.filter(finished=True, updated_at__lt=before).exclude(incarnation__in=leasing)
    return finished.delete()[0]


def recovered(opened: Opened) -> Closed:
    """Return the end of an attempt whose end nobody saw: it is charged the most that it could cost."""
    return Closed(
        request_id=opened.request_id, attempt=opened.attempt, at_ms=opened.at_ms, status=500, code=RECOVERED,
        input_tokens=opened.bound_input_tokens, cached_tokens=0, cache_write_tokens=0,
        output_tokens=opened.bound_output_tokens, reasoning_tokens=0, cost_nano_usd=opened.bound_nano_usd,
        latency_ms=0, ttft_ms=0, overhead_us=0, estimated=True,
    )  # fmt: skip


def _moved(incarnation: str, before: Place, after: Place, finished: bool) -> bool:
    """Set the journal's place if it is still what it was; says whether it was. Without the ORM: every batch does this."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    carried = [after.carried] if after.carried != before.carried else []
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE billing_journaloffset SET position = %s, updated_at = %s, finished = %s{', carried = %s' * len(carried)}"  # noqa: S608
            " WHERE incarnation = %s AND position = %s",
            [after.position, now, finished, *carried, incarnation, before.position],
        )
        return int(cursor.rowcount) == 1


def costs_of(attempts: Iterable[Attempt]) -> dict[escrow.Slot, int]:
    """Return what attempts cost each balance that they were reserved from."""
    costs: dict[escrow.Slot, int] = {}
    for opened, closed in attempts:
        if closed.cost_nano_usd:
            for hold in opened.holds:
                slot = (hold.quota_id, hold.period)
                costs[slot] = costs.get(slot, 0) + closed.cost_nano_usd
    return costs
