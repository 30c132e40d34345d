"""Who would miss a model: what calls it, whose keys those are, and a word to the owners, once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from billing.models import RollupDay
from billing.redirected import Elsewhere, answered_elsewhere
from catalog.actions.routes import route_of
from catalog.models import Model
from portal.keys.models import Key
from portal.keys.notices import tell_all
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded
from portal.people.models import Team, User

SPAN = timedelta(days=30)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Caller:
    """A key that called the model. `cost` is nano-USD."""

    key: Key
    requests: int
    cost: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What the last 30 days say of a model. `callers`: the busiest keys; `cost` is nano-USD; `allowed` keys may call it now.

    `requests` are those that named it; another model answered `elsewhere` of them, by a redirect or in its stead.
    """

    requests: int
    elsewhere: int
    cost: int
    keys: int
    allowed: int
    owners: int
    teams: tuple[str, ...]
    callers: tuple[Caller, ...]


def impact_of(model: Model) -> Impact:
    """Return who would miss `model`. Seven queries, whatever the traffic."""
    rows = RollupDay.objects.filter(model_id=model.pk, day__gte=(timezone.now() - SPAN).date())
    sums = {
        row["key_id"]: (row["requests_sum"], row["cost_sum"])
        for row in rows.values("key_id").annotate(requests_sum=Sum("requests"), cost_sum=Sum("cost_nano_usd"))
    }
    elsewhere = answered_elsewhere(model.pk, SPAN)
    for one in elsewhere:
        requests, cost = sums.get(one.key_id, (0, 0))
        sums[one.key_id] = (requests + one.requests, cost + one.cost)
    busiest = sorted(sums, key=lambda key_id: sums[key_id], reverse=True)[:SHOWN]
    keys = Key.objects.filter(pk__in=busiest).select_related("owner", "team").in_bulk()
    at_team = Q(pk__in=rows.values("team_id")) | Q(pk__in={one.team_id for one in elsewhere})
    teams = Team.objects.filter(at_team).order_by("name").values_list("name", flat=True)
    return Impact(
        requests=sum(requests for requests, _ in sums.values()),
        elsewhere=sum(one.requests for one in elsewhere),
        cost=sum(cost for _, cost in sums.values()),
        keys=len(sums),
        allowed=_allowed(model).count(),
        owners=_owners(model, elsewhere).count(),
        teams=tuple(teams),
        callers=tuple(Caller(keys[key_id], *sums[key_id]) for key_id in busiest if key_id in keys),
    )


def tell_owners(*, actor: Actor, model: Model) -> int:
    """Tell the owners of keys that called `model` that it goes, each once. Needs catalog.manage. Returns how many there are."""
    demand(actor, "catalog.manage")
    when = f"on {model.retires_on.isoformat()}" if model.retires_on else "soon"
    redirect = route_of(model).redirect
    then = f"Their calls go on to {redirect.to}, where they may use it." if redirect else "Choose another model."
    words = f"{model.display_name} is retired {when}, and your keys called it lately. {then}"
    with recorded(actor, "model:tell_owners", model) as trail:
        owners = list(_owners(model, answered_elsewhere(model.pk, SPAN)))
        tell_all(owners, f"model-retires:{model.pk}:{model.retires_on or ''}", words, f"/catalog/models/{model.slug}")
        trail.after = {"owners": len(owners)}
    return len(owners)


def _allowed(model: Model) -> QuerySet[Key]:
    live = Key.objects.filter(status=Key.Status.ACTIVE, expires_at__gt=timezone.now(), team__team_models__model=model)
    return (live.filter(all_models=True) | live.filter(named_models=model)).distinct()


def _owners(model: Model, elsewhere: Iterable[Elsewhere]) -> QuerySet[User]:
    """Return the active owners of live keys that called the model in the last 30 days, or asked for it."""
    called = RollupDay.objects.filter(model_id=model.pk, day__gte=(timezone.now() - SPAN).date()).values("key_id")
    asked = Q(pk__in=called) | Q(pk__in={one.key_id for one in elsewhere})
    keys = Key.objects.filter(asked, status=Key.Status.ACTIVE, expires_at__gt=timezone.now())
    owners: QuerySet[User] = User.objects.active().filter(pk__in=keys.values("owner_id"))
    return owners
