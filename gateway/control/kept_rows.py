"""Reads and writes the rows of what providers keep. Each function is one short transaction on a database thread."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F, Q, QuerySet

from billing import bulk, escrow
from billing.models import UsageEvent
from gateway.control.compile import epoch
from gateway.control.models import KeptItem, KeptObject, PendingUse
from gateway.journal.records import Hold
from gateway.kept.records import Kept, Kind, Owner, Pending
from gateway.snapshot import UNSET, KeyEntry, Price
from gateway.types import Usage

MOST_LISTED = 10_000
SWEPT = 300  # at once, so that SQLite's one writer is not kept from others
FIRST_ASK = timedelta(seconds=3)
LONGEST_WAIT = timedelta(minutes=5)
GIVE_UP = timedelta(days=3)  # then the bound stays
SWEEP_AFTER = timedelta(days=1)  # beyond the end of a row, so that what is under way still finds it


def found(ids: Collection[str], now: float) -> list[Kept]:
    """Return what is kept under these ids of ours."""
    return [_kept(row) for row in _alive(now).filter(pk__in=ids).select_related("pending")]


def makers(item_ids: Collection[str], now: float) -> dict[str, list[Kept]]:
    """Return the responses that made each of these items."""
    made: dict[str, list[Kept]] = {}
    items = KeptItem.objects.filter(item_id__in=item_ids, made_by__in=_alive(now)).select_related("made_by__pending")
    for item in items:
        made.setdefault(item.item_id, []).append(_kept(item.made_by))
    return made


def names(provider_id: str, upstream_ids: Collection[str], now: float) -> dict[str, str]:
    """Return our ids of what a provider keeps."""
    known = _alive(now).filter(provider_id=provider_id, upstream_id__in=upstream_ids)
    return dict(known.values_list("upstream_id", "pk"))


def listed(kind: Kind, entry: KeyEntry, now: float) -> list[Kept]:
    """Return what a key may touch, as `gateway.kept.records.may_touch` says, the newest first."""
    whose = Q(team_id=entry.team_id, application_id=entry.application_id)
    if entry.application_id is None:
        whose &= Q(user_id=entry.owner_id)
    known = _alive(now).filter(whose, kind=kind).select_related("pending").order_by("-created_at", "-pk")
    return [_kept(row) for row in known[:MOST_LISTED]]


def together(notes: Iterable[Callable[[], None]]) -> None:
    """Do what is to be noted in one transaction."""
    with transaction.atomic():
        for note in notes:
            note()


def keep(kept: Kept, pending: Pending | None) -> None:
    """Note an object."""
    with transaction.atomic():
        KeptObject.objects.bulk_create([_row(kept)])
        if pending is not None:
            PendingUse.objects.bulk_create([_pending_row(kept, pending)])
        _keep_items(kept.id, kept.items)


def ended(id_: str, usage: Usage | None, items: Sequence[str]) -> None:
    """Note what a response used and made."""
    with transaction.atomic():
        known = KeptObject.objects.filter(pk=id_)
        if usage is not None:
            known.update(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        if known.exists():
            _keep_items(id_, items)


def pending_of(id_: str) -> Pending | None:
    """Return what is to be settled of an object."""
    row = PendingUse.objects.filter(pk=id_).first()
    if row is None:
        return None
    holds = tuple(Hold(*hold) for hold in row.holds)
    return Pending(row.request_id, row.attempt, msgspec.convert(row.price, Price), holds)


def settle(id_: str, usage: Usage | None, cost_nano_usd: int) -> bool:
    """Put what an attempt really used in place of what was charged for it. One transaction, so exactly once.

    The event in the ledger is read under its lock and the difference is booked, so it does not matter what was charged:
    the bound, an estimate after a crash, or the truth already. Returns False while there is no event yet.
    """
    with transaction.atomic():
        row = PendingUse.objects.select_for_update().filter(pk=id_).first()
        if row is None:
            return True
        events = UsageEvent.objects.filter(request_id=row.request_id, attempt=row.attempt)
        event = events.select_for_update().values("at", "cost_nano_usd").first()
        if event is None:
            return False
        if usage is not None:
            events.update(
                status=200, code="", estimated=False, cost_nano_usd=cost_nano_usd,
                input_tokens=usage.input_tokens, cached_tokens=usage.cached_tokens,
                cache_write_tokens=usage.cache_write_tokens, output_tokens=usage.output_tokens,
                reasoning_tokens=usage.reasoning_tokens, units=dict(usage.units) if usage.units else None,
            )  # fmt: skip
            escrow.correct([(hold[0], hold[1]) for hold in row.holds], cost_nano_usd - event["cost_nano_usd"])
            bulk.mark_hours([int(event["at"].timestamp() * 1000) // bulk.HOUR_MS])
        row.delete()
    return True


def forget(id_: str, now: float) -> None:
    """Note that an object was deleted."""
    KeptObject.objects.filter(pk=id_, deleted_at__isnull=True).update(deleted_at=_moment(now))


def due(now: float, limit: int) -> list[Kept]:
    """Take pending responses whose time has come: each is asked about by one process, and later each time.

    Those that nobody could settle in days are let go of: what was charged stays, marked as estimated.
    """
    at = _moment(now)
    PendingUse.objects.filter(since__lt=at - GIVE_UP).delete()
    taken = []
    waiting = PendingUse.objects.filter(ask_at__lte=at).select_related("kept").order_by("ask_at")[:limit]
    for row in waiting:
        later = at + min(LONGEST_WAIT, FIRST_ASK * 2 ** min(row.asked, 10))
        mine = PendingUse.objects.filter(pk=row.pk, ask_at=row.ask_at)
        if mine.update(ask_at=later, asked=F("asked") + 1):
            taken.append(_kept(row.kept))
    return taken


def sweep(now: float) -> bool:
    """Delete some of what has expired or was deleted, unless it is still to be settled; returns whether there is more."""
    past = _moment(now) - SWEEP_AFTER
    gone = KeptObject.objects.filter(Q(expires_at__lt=past) | Q(deleted_at__lt=past), pending__isnull=True)
    ids = list(gone.values_list("pk", flat=True)[:SWEPT])
    with transaction.atomic():
        KeptItem.objects.filter(made_by__in=ids).delete()
        KeptObject.objects.filter(pk__in=ids).delete()
    return len(ids) == SWEPT


def _keep_items(id_: str, items: Sequence[str]) -> None:
    if items:
        made = [KeptItem(item_id=item[:200], made_by_id=id_) for item in dict.fromkeys(items)]
        KeptItem.objects.bulk_create(made, ignore_conflicts=True)


def _alive(now: float) -> "QuerySet[KeptObject]":
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=_moment(now))
    return KeptObject.objects.filter(unexpired, deleted_at__isnull=True)


def _kept(row: KeptObject) -> Kept:
    owner = Owner(row.key_id, row.user_id, row.team_id, row.application_id)
    kind: Any = row.kind
    return Kept(
        row.pk, kind, row.provider_id, row.deployment_id, row.model_id, row.upstream_id, owner, epoch(row.created_at),
        epoch(row.expires_at), row.input_tokens, row.output_tokens, hasattr(row, "pending"), facts=row.facts,
    )  # fmt: skip


def _row(kept: Kept) -> KeptObject:
    owner = kept.owner
    return KeptObject(
        id=kept.id, kind=kept.kind, provider_id=kept.provider_id, deployment_id=kept.deployment_id,
        model_id=kept.model_id, upstream_id=kept.upstream_id, key_id=owner.key_id, user_id=owner.user_id,
        team_id=owner.team_id, application_id=owner.application_id, created_at=_moment(kept.created_at),
        expires_at=None if kept.expires_at >= UNSET else _moment(kept.expires_at), facts=dict(kept.facts),
        input_tokens=kept.input_tokens, output_tokens=kept.output_tokens,
    )  # fmt: skip


def _pending_row(kept: Kept, pending: Pending) -> PendingUse:
    since = _moment(kept.created_at)
    return PendingUse(
        kept_id=kept.id, request_id=pending.request_id, attempt=pending.attempt,
        price=msgspec.to_builtins(pending.price), holds=msgspec.to_builtins(pending.holds),
        since=since, ask_at=since + FIRST_ASK,
    )  # fmt: skip


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
