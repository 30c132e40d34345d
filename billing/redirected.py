"""How far a redirect has come: what was called of both models in the last day."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from billing.models import UsageEvent

SPAN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Redirected:
    """First attempts of the last 24 hours. `own`: calls of the successor that nothing redirected."""

    stayed: int
    moved: int
    own: int

    @property
    def percent(self) -> float | None:
        """The share of the calls for the old model that the new one took; None where there were none."""
        asked = self.stayed + self.moved
        return 100 * self.moved / asked if asked else None


def redirected(model_id: str, successor_id: str) -> Redirected:
    """Count the calls of a model and of its successor. One query."""
    now = timezone.now()
    first = UsageEvent.objects.between(now - SPAN, now).filter(model_id__in=[model_id, successor_id], attempt=1)
    moved = Q(model_id=successor_id, asked_model_id=model_id)
    return Redirected(
        **first.aggregate(
            stayed=Count("attempt", filter=Q(model_id=model_id)),
            moved=Count("attempt", filter=moved),
            own=Count("attempt", filter=Q(model_id=successor_id) & ~moved),
        )
    )
