"""What a demo starts with: people, teams, the demo engine's models, and the well-known ones to look at. Loaded once."""

from pathlib import Path

from django.db import transaction

from catalog.actions.access import add_team_model
from catalog.importers.environment import connect_from_environment
from catalog.importers.proposals import proposals, take_over
from catalog.models import Model, Provider
from portal.config.apply import apply
from portal.demo.personas import make_people
from portal.people.audit import Actor
from portal.people.models import Team

FILE = Path(__file__).with_name("demo.yaml")
TEAMS = ("search", "payments", "support", "platform")


def load_demo(actor: Actor) -> None:
    """Load the demo unless it is there, then connect providers whose key has come into the environment since.

    A second run changes no data, not even what people have changed or deleted meanwhile.
    """
    with transaction.atomic():
        if not Provider.objects.filter(kind=Provider.Kind.DEMO).exists():
            make_people(actor)
            apply(FILE.read_text(encoding="utf-8"), actor=actor)
            take_over(proposals(), actor=actor)
        for models in connect_from_environment(actor=actor).values():
            _give_to_teams(actor, [model for model in models if model.tier == Model.Tier.SANDBOX])


def _give_to_teams(actor: Actor, models: list[Model]) -> None:
    for team in Team.objects.filter(slug__in=TEAMS):
        for model in models:
            add_team_model(actor=actor, team=team, model=model)
