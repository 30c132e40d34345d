"""Keys, what they need to exist, and requests."""

from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone

from catalog.models import Model
from portal.keys.actions.keys import mint_key
from portal.keys.actions.requests import ask
from portal.keys.models import Key, KeyRequest
from portal.people.models import Team, User
from tests.factories.catalog import ServedModelFactory, TeamModelFactory
from tests.factories.people import MembershipFactory, TeamFactory, UserFactory, acting


class KeyFactory(factory.django.DjangoModelFactory):
    """A key without a secret, for lists; its owner is a member of its team."""

    class Meta:
        model = Key

    name = factory.Sequence(lambda n: f"key {n}")
    owner = factory.SubFactory(UserFactory)
    team = factory.SubFactory(TeamFactory)
    all_models = True
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=30))


def member_of(team: Team, **fields: Any) -> User:
    """Return an active member of `team`."""
    user: User = UserFactory(**fields)
    MembershipFactory(team=team, user=user)
    return user


def team_with(*slugs: str, **fields: Any) -> Team:
    """Return a team that may use models of these slugs, each deployed and priced."""
    team: Team = TeamFactory(**fields)
    for slug in slugs:
        model = Model.objects.filter(slug=slug).first() or ServedModelFactory(slug=slug, display_name=slug.title())
        TeamModelFactory(team=team, model=model)
    return team


def minted(owner: User, team: Team, **options: Any) -> tuple[Key, str]:
    """Mint as the owner would; 30 days and all models unless said otherwise."""
    wanted: dict[str, Any] = {"name": "laptop", "models": None, "expires_at": in_days(30)} | options
    return mint_key(actor=acting(owner), owner=owner, team=team, **wanted)


def asked_for_model(requester: User, team: Team, model: Model, **options: Any) -> KeyRequest:
    wanted: dict[str, Any] = {"reason": "A trial of summaries.", "until": in_days(20)} | options
    return ask(actor=acting(requester), kind="model", team=team, model=model, **wanted)


def in_days(days: float) -> Any:
    return timezone.now() + timedelta(days=days)
