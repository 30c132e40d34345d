"""The ledger of money quotas: slices are leased to gateway processes, and what they spent is settled.

Every function is one short transaction that locks balances in order of their id, so that two of them never wait for
each other in a circle. `settled + leased` never passes the capacity, except by what a provider billed beyond our bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from billing import bulk
from billing.models import Balance, Lease, Quota
from gateway.quotas.escrow import Account, Ask, decide
from gateway.quotas.slices import WANTED_S, Standing
from gateway.quotas.slices import Slot as Slot

WANTED = timedelta(seconds=WANTED_S)


def lease(incarnation: str, bids: Sequence[Sequence[Ask]]) -> tuple[list[Ask | None], dict[Slot, Standing]]:
    """Lease to `incarnation`, in one transaction for all of its callers who wait: each bid all or none.

    Returns of each bid the ask that did not fit (None: granted), and the standings. What did not fit is marked wanted,
    so that other processes give back what they do not need. A deleted quota has no standing and limits nothing.
    """
    now = timezone.now()
    with transaction.atomic():
        rows = _locked([ask[:2] for bid in bids for ask in bid])
        accounts = {
            slot: Account(row.settled + row.leased, wanted=row.wanted_until is not None and row.wanted_until > now)
            for slot, row in rows.items()
        }
        refused = decide(bids, accounts)
        tight = {rows[ask[:2]].pk for ask in refused if ask is not None}
        if tight:
            Balance.objects.filter(pk__in=tight).update(wanted_until=now + WANTED)
        standings = {}
        for slot, row in rows.items():
            granted = accounts[slot].granted
            _move_lease(row, incarnation, granted)
            standings[slot] = Standing(row.settled, row.leased + granted, granted)
    return refused, standings


def give_back(incarnation: str, amounts: Mapping[Slot, int]) -> None:
    """Return unreserved parts of leases. The caller lowered its own balance first."""
    with transaction.atomic():
        rows = _locked(list(amounts))
        for slot, row in rows.items():
            _move_lease(row, incarnation, -amounts[slot])


def wanted_now() -> list[Slot]:
    """Name the balances of which somebody could not get enough a moment ago."""
    with connection.cursor() as cursor:  # asked twelve times a second: the ORM would take three times as long
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute("SELECT quota_id, period FROM billing_balance WHERE wanted_until > %s", [now])
        return [(str(quota), int(period)) for quota, period in cursor.fetchall()]


def held_by(incarnation: str) -> dict[Slot, int]:
    """Return what `incarnation` holds."""
    rows = Lease.objects.filter(incarnation=incarnation)
    return {
        (quota, period): n for quota, period, n in rows.values_list("balance__quota_id", "balance__period", "amount")
    }


def settle(incarnation: str, costs: Mapping[Slot, int]) -> dict[Slot, int]:
    """Move costs from leased to settled; returns by how much each lease shrank (less than the cost: an overrun).

    Runs inside the transaction that inserts the events these costs come from.
    """
    ids = _locked_ids(costs)
    if len(ids) < len(costs):  # the first cost of a period, or a deleted quota's
        ids = {slot: row.pk for slot, row in _locked(list(costs)).items()}
    if not ids:
        return {}
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * len(ids))
        cursor.execute(
            f"SELECT balance_id, amount FROM billing_lease WHERE incarnation = %s AND balance_id IN ({marks})",  # noqa: S608
            [incarnation, *ids.values()],
        )
        held = dict(cursor.fetchall())
    shrunk = {slot: min(costs[slot], held.get(pk, 0)) for slot, pk in ids.items()}
    moved = [(pk, costs[slot], shrunk[slot]) for slot, pk in ids.items()]
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


def correct(slots: Iterable[Slot], difference_nano_usd: int) -> None:
    """Book that an event which was charged to these balances cost another amount than it was settled with.

    Runs inside the transaction that corrects the event. Beside the drain this is the one writer of what is settled.
    """
    wanted = set(slots)
    ids = _locked_ids(wanted) if wanted and difference_nano_usd else {}
    if ids:
        Balance.objects.filter(pk__in=ids.values()).update(settled=F("settled") + difference_nano_usd)


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


def forget_balances(before: int, batch: int = 1000) -> int:
    """Delete balances of short windows that began before `before` (epoch s) and hold no lease; returns how many.

    A budget per second makes a row for each second in which it is used. Events keep what was spent.
    """
    past = Balance.objects.filter(period__lt=before, leased=0, quota__window__in=["second", "minute", "hour"])
    forgotten = 0
    while ids := list(past.values_list("pk", flat=True)[:batch]):
        with transaction.atomic():
            rows = Balance.objects.filter(pk__in=ids, leased=0).select_for_update().order_by("id")
            alive = list(rows.values_list("pk", flat=True))
            Balance.objects.filter(pk__in=alive).delete()
        forgotten += len(alive)
        if len(alive) < len(ids):
            break  # somebody uses one again: the next run sees
    return forgotten


def standings(slots: Iterable[Slot]) -> dict[Slot, Standing]:
    """Read balances without a lock; a balance that does not exist yet is all zero."""
    wanted = set(slots)
    rows = Balance.objects.filter(
        quota_id__in={quota for quota, _ in wanted}, period__in={period for _, period in wanted}
    )
    found = {(row.quota_id, row.period): Standing(row.settled, row.leased, 0) for row in rows}
    return {slot: found.get(slot, Standing(0, 0, 0)) for slot in wanted}


def _locked_ids(slots: Iterable[Slot]) -> dict[Slot, int]:
    """Lock those balances of `slots` that exist, without the ORM: every batch of the drain asks for them."""
    wanted = set(slots)
    quotas, periods = sorted({quota for quota, _ in wanted}), sorted({period for _, period in wanted})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, quota_id, period FROM billing_balance"  # noqa: S608  # as many marks as values
            f" WHERE quota_id IN ({', '.join(['%s'] * len(quotas))}) AND period IN ({', '.join(['%s'] * len(periods))})"
            f" ORDER BY id{' FOR UPDATE' if connection.features.has_select_for_update else ''}",
            [*quotas, *periods],
        )
        return {(quota, period): pk for pk, quota, period in cursor.fetchall() if (quota, period) in wanted}


def _locked(slots: Sequence[Slot]) -> dict[Slot, Balance]:
    """Lock the balances of `slots` in order of id; make the missing ones. A deleted quota has none: nothing is kept of it."""
    wanted = set(slots)

    def select() -> QuerySet[Balance]:
        rows = Balance.objects.filter(quota_id__in={s[0] for s in wanted}, period__in={s[1] for s in wanted})
        return rows.select_for_update().order_by("id")

    found = {(row.quota_id, row.period): row for row in select()}
    missing = sorted(wanted - found.keys())
    if missing:
        quotas = Quota.objects.filter(id__in={quota for quota, _ in missing}).order_by("id")
        alive = set(quotas.select_for_update(no_key=True).values_list("id", flat=True))  # and none is removed meanwhile
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
