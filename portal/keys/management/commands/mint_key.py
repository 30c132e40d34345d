"""Mint a key from the command line: the secret alone goes to standard output."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.access import models_of_team
from catalog.models import Model
from portal.keys.actions.keys import mint_key
from portal.keys.reading import read_end, read_limit
from portal.keys.refusal import Refused
from portal.people.audit import Actor
from portal.people.models import Team, User


class Command(BaseCommand):
    help = (
        "Mint a key for a member of a team (who need not have signed in yet). "
        "Prints the secret alone on standard output; it cannot be shown again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--team", required=True, help="the team's slug, such as search")
        parser.add_argument("--user", required=True, help="the owner's e-mail address")
        parser.add_argument("--name", required=True, help="what the key is for, such as ci")
        parser.add_argument("--models", default="", help="model ids, separated by commas (default: all of the team's)")
        parser.add_argument(
            "--limit", action="append", default=[], metavar="METRIC/WINDOW=AMOUNT", help="usd/month=5; may be repeated"
        )
        parser.add_argument(
            "--expires", default="", help=f"30d, 12h, 2027-01-31 (default: {settings.KEY_DEFAULT_DAYS}d)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.mint(options)
        except Refused as refused:
            raise CommandError(str(refused)) from None

    def mint(self, options: dict[str, Any]) -> None:
        team = Team.objects.filter(slug=options["team"]).first()
        if team is None:
            raise CommandError(
                f'There is no team "{options["team"]}". Teams: {listed(Team.objects.values_list("slug", flat=True))}.'
            )
        owner = User.objects.with_email(options["user"]).first()
        if owner is None:
            raise CommandError(
                f'Nobody has the address "{options["user"]}". Add them to the team first: manage.py apply FILE.'
            )
        until = (
            read_end(options["expires"])
            if options["expires"]
            else timezone.now() + timedelta(days=settings.KEY_DEFAULT_DAYS)
        )
        key, secret = mint_key(
            actor=Actor("command"),
            owner=owner,
            team=team,
            name=options["name"],
            models=named_models(options["models"], team),
            expires_at=until,
            limits=[read_limit(text) for text in options["limit"]],
        )
        self.stdout.write(secret)
        self.stderr.write(f"{key.pk} for {owner.email} in {team.slug}, until {key.expires_at:%Y-%m-%d %H:%M} UTC.")


def named_models(text: str, team: Team) -> list[Model] | None:
    """Return the models listed in `text`; None (all of the team's) when it is empty. Raises CommandError."""
    slugs = [slug.strip() for slug in text.split(",") if slug.strip()]
    if not slugs:
        return None
    found = {model.slug: model for model in Model.objects.filter(slug__in=slugs)}
    unknown = [slug for slug in slugs if slug not in found]
    if unknown:
        own = ", ".join(models_of_team(team).order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no model {', '.join(unknown)}. Models of the team {team.slug}: {own}.")
    return list(found.values())


def listed(names: Any) -> str:
    """Name the first few."""
    some = sorted(names)
    return (", ".join(some[:10]) + (", …" if len(some) > 10 else "")) or "none yet"
