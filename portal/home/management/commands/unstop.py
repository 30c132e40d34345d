"""`manage.py unstop KIND [NAME] --reason …`: let calls through again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.home.management.commands.stop import add_target, operator
from portal.home.stops import target_named
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.stops import lift_stop
from portal.people.models import Stop


class Command(BaseCommand):
    help = "Lift what `stop` did: calls are served again within a second."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_target(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        kind = options["kind"]
        try:
            target = target_named(kind, options["name"] or (kind if kind == Stop.Kind.EVERYTHING else ""))
            stop = Stop.objects.filter(kind=target.kind, entity_id=target.id).first()
            if stop is None:
                self.stdout.write("That is not stopped.")
                return
            lift_stop(actor=operator(), stop=stop, reason=options["reason"])
        except PeopleRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"No longer stopped: {target.label}.")
