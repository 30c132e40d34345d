"""`manage.py stop KIND [NAME] --reason …`: the kill switch, also where the portal is down."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.home.stops import stop_target, target_named
from portal.people.actions.rules import PeopleRefused
from portal.people.audit import Actor
from portal.people.models import Stop


def add_target(parser: ArgumentParser) -> None:
    parser.add_argument("kind", choices=Stop.Kind.values, metavar="KIND", help=", ".join(Stop.Kind.values))
    parser.add_argument(
        "name", nargs="?", default="", metavar="NAME",
        help="short name of a provider or team, id of a model, id or beginning of a key; nothing after everything",
    )  # fmt: skip
    parser.add_argument("--reason", required=True, help="told to whoever is refused, and kept in the audit trail")


def operator() -> Actor:
    """Whoever has a shell on the server; audited under their name there."""
    try:
        name = getpass.getuser()
    except OSError:  # a user id without a name, as in some containers
        name = "somebody"
    return Actor("command", name=name)


class Command(BaseCommand):
    help = "Refuse every call of a provider, model, team or key, or everything, within a second."
    requires_system_checks = ()  # it must work when something else is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_target(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        kind = options["kind"]
        try:
            target = target_named(kind, options["name"] or (kind if kind == Stop.Kind.EVERYTHING else ""))
            stop = stop_target(actor=operator(), target=target, reason=options["reason"])
        except PeopleRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{stop.headline}. New calls are refused within a second; answers under way end within five.")
