"""What somebody who decides should know: the asker's last 30 days, what bounds them now, what the model costs."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum
from django.urls import reverse

from billing.calendar import today
from billing.labels import labels
from billing.models import RollupDay
from billing.standing import Standing, limits_of
from portal.keys.models import KeyRequest
from portal.keys.offers import price_words, prices_of
from portal.people.access import Viewer

DAYS = 30


@dataclass(frozen=True, slots=True)
class Habit:
    """What somebody called in the last days: one model, how often, at what cost."""

    model: str
    requests: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """Figures of the asker's last 30 days in the team, the limits that hold, and the model's price."""

    requests: int
    cost_nano_usd: int
    habits: list[Habit]
    limits: list[Standing]
    price: str
    usage_url: str


def dossier_of(request: KeyRequest, viewer: Viewer) -> Dossier:
    """Gather it in a fixed number of queries."""
    rows = RollupDay.objects.filter(
        user_id=request.requester_id, team_id=request.team_id, day__gt=today() - timedelta(days=DAYS)
    )
    sums = list(rows.values("model_id").annotate(n=Sum("requests"), cost=Sum("cost_nano_usd")).order_by("-cost", "-n"))
    names = labels("model", [row["model_id"] for row in sums])
    habits = [Habit(names.get(row["model_id"], "a model that is gone"), row["n"], row["cost"]) for row in sums]
    price = price_words(prices_of([request.model_id]).get(request.model_id)) if request.model_id else ""
    scopes = [("team", request.team_id), ("user", request.requester_id)]
    if request.key_id:
        scopes.append(("key", request.key_id))
    if request.quota is not None:
        scopes = [
            (request.quota.scope_kind, request.quota.scope_id),
            *(s for s in scopes if s[1] != request.quota.scope_id),
        ]
    first, last = today() - timedelta(days=DAYS - 1), today()
    who = f"user={request.requester_id}&team={request.team_id}&from={first.isoformat()}&to={last.isoformat()}"
    return Dossier(
        requests=sum(habit.requests for habit in habits),
        cost_nano_usd=sum(habit.cost_nano_usd for habit in habits),
        habits=habits[:5],
        limits=limits_of(scopes, viewer, request.model_id),
        price=price,
        usage_url=f"{reverse('billing-usage-list')}?{who}",
    )
