"""The ledger of money quotas: slices are leased to gateway processes, and what they spent is settled.

Every function is one short transaction that locks balances in order of their id, so that two of them never wait for
each other in a circle. `settled + leased` never passes the capacity, except by what a provider billed beyond our bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from billing import bulk
from billing.models import Balance, Lease, Quota

WANTED = timedelta(seconds=2)
SLICE_OF_REMAINDER = 16


@dataclass(frozen=True, slots=True)
class Ask:
    """A gateway process asks for `need` nano-USD of a quota's period, whose capacity it knows."""

    quota_id: str
    period: int
    capacity: int
    need: int
    spare: int = 0  # up to this much more, as long as plenty is left: saves the next trip


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says of one balance."""

    settled: int
    leased: int
    granted: int


Slot = tuple[str, int]  # quota id, period


def lease(incarnation: str, asks: Sequence[Ask]) -> tuple[dict[Slot, Standing], Ask | None]:
    """Lease every ask to `incarnation`, all or none.

    Returns the standings, and the first ask that did not fit (None: all were granted). What did not fit is marked
    wanted, so that other processes give back what they do not need.
    """
    now = timezone.now()
    with transaction.atomic():
        rows = _locked([(ask.quota_id, ask.period) for ask in asks])
        standings = {slot: Standing(row.settled, row.leased, 0) for slot, row in rows.items()}
        present = [ask for ask in asks if (ask.quota_id, ask.period) in rows]
        for ask in present:
            row = rows[ask.quota_id, ask.period]
            if row.settled + row.leased + ask.need > ask.capacity:
                Balance.objects.filter(pk=row.pk).update(wanted_until=now + WANTED)
                return standings, ask
        for ask in present:
            row = rows[ask.quota_id, ask.period]
            left = ask.capacity - row.settled - row.leased - ask.need
            wanted = row.wanted_until is not None and row.wanted_until > now
            grant = ask.need + (0 if wanted else min(ask.spare, left // SLICE_OF_REMAINDER))
            _move_lease(row, incarnation, grant)
            standings[ask.quota_id, ask.period] = Standing(row.settled, row.leased + grant, grant)
    return standings, None


def give_back(incarnation: str, amounts: Mapping[Slot, int]) -> None:
    """Return unreserved parts of leases. The caller lowered its own balance first."""
    with transaction.atomic():
        rows = _locked(list(amounts))
        for slot, row in rows.items():
            _move_lease(row, incarnation, -amounts[slot])


def wanted_of(incarnation: str, now: datetime) -> list[Slot]:
    """Name the balances that others want and `incarnation` holds a lease on."""
    rows = Balance.objects.filter(wanted_until__gt=now, leases__incarnation=incarnation, leases__amount__gt=0)
    return list(rows.values_list("quota_id", "period"))


def settle(incarnation: str, costs: Mapping[Slot, int]) -> dict[Slot, int]:
    """Move costs from leased to settled; returns by how much each lease shrank (less than the cost: an overrun).

    Runs inside the transaction that inserts the events these costs come from.
    """
    rows = _locked(list(costs))
    if not rows:
        return {}
    held = dict(
        Lease.objects.filter(incarnation=incarnation, balance__in=rows.values()).values_list("balance_id", "amount")
    )
    shrunk = {slot: min(costs[slot], held.get(row.pk, 0)) for slot, row in rows.items()}
    moved = [(row.pk, costs[slot], shrunk[slot]) for slot, row in rows.items()]
    columns = {"balance": "bigint", "cost": "bigint", "shrunk": "bigint"}
    bulk.update(
        "UPDATE billing_lease SET amount = amount - given.shrunk FROM given"
        " WHERE billing_lease.balance_id = given.balance AND billing_lease.incarnation = %s",
        columns,
        moved,
        incarnation,
    )
    bulk.update(
        "UPDATE billing_balance SET settled = settled + given.cost, leased = leased - given.shrunk FROM given"
        " WHERE billing_balance.id = given.balance",
        columns,
        moved,
    )
    return shrunk


def free_all(incarnation: str) -> None:
    """Free what a dead process still held. Only after its journal was drained to the end under its lock."""
    with transaction.atomic():
        held = Lease.objects.filter(incarnation=incarnation).values_list("balance__quota_id", "balance__period")
        for row in _locked(sorted(held)).values():
            amount = (
                Lease.objects.filter(balance=row, incarnation=incarnation).values_list("amount", flat=True).first() or 0
            )
            Balance.objects.filter(pk=row.pk).update(leased=F("leased") - amount)
            Lease.objects.filter(balance=row, incarnation=incarnation).delete()


def standings(slots: Iterable[Slot]) -> dict[Slot, Standing]:
    """Read balances without a lock; a balance that does not exist yet is all zero."""
    wanted = set(slots)
    rows = Balance.objects.filter(
        quota_id__in={quota for quota, _ in wanted}, period__in={period for _, period in wanted}
    )
    found = {(row.quota_id, row.period): Standing(row.settled, row.leased, 0) for row in rows}
    return {slot: found.get(slot, Standing(0, 0, 0)) for slot in wanted}


def _locked(slots: Sequence[Slot]) -> dict[Slot, Balance]:
    """Lock the balances of `slots` in order of id; make the missing ones. A deleted quota has none: nothing is kept of it."""
    wanted = set(slots)

    def select() -> QuerySet[Balance]:
        rows = Balance.objects.filter(quota_id__in={s[0] for s in wanted}, period__in={s[1] for s in wanted})
        return rows.select_for_update().order_by("id")

    found = {(row.quota_id, row.period): row for row in select()}
    missing = sorted(wanted - found.keys())
    if missing:
        alive = set(Quota.objects.filter(id__in={quota for quota, _ in missing}).values_list("id", flat=True))
        missing = [slot for slot in missing if slot[0] in alive]
    if missing:
        Balance.objects.bulk_create([Balance(quota_id=q, period=p) for q, p in missing], ignore_conflicts=True)
        found = {(row.quota_id, row.period): row for row in select()}
    return {slot: found[slot] for slot in wanted if slot in found}


def _move_lease(row: Balance, incarnation: str, amount: int) -> None:
    if not amount:
        return
    changed = Lease.objects.filter(balance=row, incarnation=incarnation).update(amount=F("amount") + amount)
    if not changed:
        Lease.objects.create(balance=row, incarnation=incarnation, amount=amount)
    Balance.objects.filter(pk=row.pk).update(leased=F("leased") + amount)
