"""What somebody could put into a key: the models of their teams with prices, and the teams' limits."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from billing.models import Quota
from catalog import rates
from catalog.access import usable_by
from catalog.models import Model, Price
from portal.keys.rules import in_words, window_words
from portal.people.access import Viewer
from portal.people.models import Team


@dataclass(slots=True)
class Offer:
    """A model that one or more of the person's teams may use, and its price in words."""

    model: Model
    teams: list[Team]
    price: str


def teams_of(viewer: Viewer) -> list[Team]:
    """Return the active teams of a person."""
    return list(Team.objects.filter(pk__in=viewer.team_ids, status=Team.Status.ACTIVE))


def offers_to(viewer: Viewer, teams: Iterable[Team]) -> list[Offer]:
    """Return what `viewer` may put into a key of any of `teams`, by name."""
    offers: dict[str, Offer] = {}
    for team in teams:
        for model in usable_by(viewer, team):
            offers.setdefault(model.pk, Offer(model, [], "")).teams.append(team)
    prices = prices_of(offers)
    for pk, offer in offers.items():
        offer.price = price_words(prices.get(pk))
    return sorted(offers.values(), key=lambda offer: offer.model.display_name.lower())


def prices_of(model_ids: Iterable[str]) -> dict[str, Price]:
    """Return the price in force of each model, by its id; models without one are left out."""
    latest: dict[str, Price] = {}
    for price in Price.objects.in_force(timezone.now()).filter(model_id__in=list(model_ids)):
        latest.setdefault(price.model_id, price)
    return latest


def price_words(price: Price | None) -> str:
    """Say what a model costs: `$0.15 in, $0.60 out per 1M tokens`."""
    return "no price yet, so it cannot be called" if price is None else rates.in_words(price)


def limits_in_words(team: Team) -> list[str]:
    """Say the team's limits: `$50.00 per month`."""
    quotas = Quota.objects.filter(scope_kind=Quota.Scope.TEAM, scope_id=team.pk, model_id="").order_by(
        "-metric", "window"
    )
    return [f"{in_words(quota.metric, quota.capacity)} {window_words(quota.window)}" for quota in quotas]
