"""How a model does for us: measured from our own calls of the last day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.utils import timezone

from billing.models import UsageEvent
from billing.models.usage import UsageQuerySet

SPAN = timedelta(hours=24)
SAMPLE = 1000  # newest calls looked at: enough for a median, and the same work for a busy model as for a quiet one
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Health:
    """`success_percent` leaves out what was the caller's fault (4xx, hanging up); None where nothing was measured."""

    calls: int
    success_percent: float | None
    latency_ms: int | None
    ttft_ms: int | None
    last_call_at: datetime | None


def health_of(model_id: str) -> Health:
    """Measure a model over the last 24 hours; the rates and medians come from its newest 1,000 calls. Two queries."""
    now = timezone.now()
    return _measured(UsageEvent.objects.between(now - SPAN, now).filter(model_id=model_id))


def provider_health(provider_id: str, model_ids: Collection[str]) -> Health:
    """Measure a provider in the same way, over the models that it serves (`model_ids`)."""
    now = timezone.now()
    of_models = UsageEvent.objects.between(now - SPAN, now).filter(model_id__in=model_ids)
    return _measured(of_models.filter(provider_id=provider_id))


def _measured(events: UsageQuerySet) -> Health:
    rows = list(events.order_by("-at").values_list("at", "status", "latency_ms", "ttft_ms")[:SAMPLE])
    good = [row for row in rows if row[1] < 400]
    bad = sum(1 for row in rows if row[1] >= 500 or row[1] == TOO_MANY)
    waits = [row[3] for row in good if row[3]]
    return Health(
        calls=len(rows) if len(rows) < SAMPLE else events.count(),
        success_percent=100 * len(good) / (len(good) + bad) if good or bad else None,
        latency_ms=round(median(row[2] for row in good)) if good else None,
        ttft_ms=round(median(waits)) if waits else None,
        last_call_at=rows[0][0] if rows else None,
    )
