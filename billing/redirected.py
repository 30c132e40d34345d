"""What was asked of a model and answered by another one: how far a redirect has come, and by which keys."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, Sum
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


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What one key asked of a model and another one answered at once. `cost` is nano-USD."""

    key_id: str
    team_id: str
    requests: int
    cost: int


def answered_elsewhere(model_id: str, span: timedelta) -> list[Elsewhere]:
    """Return which keys named a model lately and were answered by another one, without a call of the model itself.

    What a fallback answered after the model had failed is left out: those are calls of the model already. One query.
    """
    now = timezone.now()
    rows = UsageEvent.objects.between(now - span, now).filter(asked_model_id=model_id, attempt=1)
    sums = rows.values("key_id", "team_id").annotate(requests=Count("attempt"), cost=Sum("cost_nano_usd")).order_by()
    return [Elsewhere(**row) for row in sums]


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
