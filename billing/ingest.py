"""Usage comes in: one transaction inserts events, settles their cost and stores how far the journal was drained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from billing import escrow
from billing.models import DirtyHour, JournalOffset, UsageEvent
from gateway.journal.records import Closed, Opened

RECOVERED = "recovered"  # the code of an attempt that was opened, and whose end nobody saw


@dataclass(frozen=True, slots=True)
class Attempt:
    """An opened entry with its end; `closed` is None where the process died in between."""

    opened: Opened
    closed: Closed | None

    @property
    def cost_nano_usd(self) -> int:
        """What is charged: the cost, or for an attempt without an end the most that it could cost."""
        return self.opened.bound_nano_usd if self.closed is None else self.closed.cost_nano_usd


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one drain did: rows inserted, and of each balance the cost settled and by how much its lease shrank."""

    inserted: tuple[UsageEvent, ...]
    settled: dict[escrow.Slot, int]
    shrunk: dict[escrow.Slot, int]


def event_of(attempt: Attempt) -> UsageEvent:
    """Make the row of an attempt."""
    o, c = attempt.opened, attempt.closed
    at = datetime.fromtimestamp(o.at_ms / 1000, UTC)
    return UsageEvent(
        month=at.date().replace(day=1), request_id=o.request_id, attempt=o.attempt, at=at,
        team_id=o.team_id, user_id=o.user_id, key_id=o.key_id, application_id=o.application_id,
        model_id=o.model_id, deployment_id=o.deployment_id, provider_id=o.provider_id,
        endpoint=o.endpoint, streamed=o.streamed, client=o.client,
        policy_version=o.policy_version, price_id=o.price_id, cost_nano_usd=attempt.cost_nano_usd,
        status=c.status if c else 500,
        code=c.code if c else RECOVERED,
        input_tokens=c.input_tokens if c else o.bound_input_tokens,
        cached_tokens=c.cached_tokens if c else 0,
        cache_write_tokens=c.cache_write_tokens if c else 0,
        output_tokens=c.output_tokens if c else o.bound_output_tokens,
        reasoning_tokens=c.reasoning_tokens if c else 0,
        latency_ms=c.latency_ms if c else 0,
        ttft_ms=c.ttft_ms if c else 0,
        overhead_us=c.overhead_us if c else 0,
        estimated=c.estimated if c else True,
    )  # fmt: skip


def ingest(incarnation: str, attempts: Sequence[Attempt], position: str, *, finished: bool = False) -> Ingested:
    """Insert the events of `attempts`, settle what was really inserted, and move the journal's offset to `position`.

    Idempotent: an event that is there already changes nothing. One journal has one drainer (its lock), and the
    offset's row lock keeps even a mistaken second one in step.
    """
    with transaction.atomic():
        JournalOffset.objects.get_or_create(
            incarnation=incarnation, defaults={"position": "0", "updated_at": timezone.now()}
        )
        JournalOffset.objects.select_for_update().get(incarnation=incarnation)
        fresh = _without_known(attempts)
        rows = [event_of(attempt) for attempt in fresh]
        UsageEvent.objects.bulk_create(rows, batch_size=500)
        hours = {row.at.replace(minute=0, second=0, microsecond=0) for row in rows}
        DirtyHour.objects.bulk_create([DirtyHour(hour=hour) for hour in sorted(hours)])
        costs = _costs(fresh)
        shrunk = escrow.settle(incarnation, costs) if costs else {}
        JournalOffset.objects.filter(incarnation=incarnation).update(
            position=position, updated_at=timezone.now(), finished=finished
        )
    return Ingested(tuple(rows), costs, shrunk)


def _without_known(attempts: Iterable[Attempt]) -> list[Attempt]:
    named = {(a.opened.request_id, a.opened.attempt): a for a in attempts}
    ids = {request_id for request_id, _ in named}
    known = set(UsageEvent.objects.filter(request_id__in=ids).values_list("request_id", "attempt")) if ids else set()
    return [attempt for name, attempt in named.items() if name not in known]


def _costs(attempts: Iterable[Attempt]) -> dict[escrow.Slot, int]:
    costs: dict[escrow.Slot, int] = {}
    for attempt in attempts:
        for hold in attempt.opened.holds:
            slot = (hold.quota_id, hold.period)
            costs[slot] = costs.get(slot, 0) + attempt.cost_nano_usd
    return {slot: cost for slot, cost in costs.items() if cost}
