"""manage.py import_models: look through, and take over, the packaged models and prices."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from catalog.importers.proposals import proposals, take_over
from portal.people.audit import Actor


class Command(BaseCommand):
    help = "List the well-known models and changed prices that the catalogue could take over; --apply takes them over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="take them over")
        parser.add_argument("--only", default="", help="a list of models, such as gpt-4o-mini,o3")

    def handle(self, *args: Any, **options: Any) -> None:
        only = {slug for slug in options["only"].split(",") if slug}
        found = [proposal for proposal in proposals() if not only or proposal.model.slug in only]
        for proposal in found:
            self.stdout.write(proposal.sentence)
        if not found:
            self.stdout.write("nothing new")
        elif options["apply"]:
            with transaction.atomic():
                take_over(found, actor=Actor("command"))
            self.stdout.write(f"{len(found)} taken over")
        else:
            self.stdout.write("(nothing was written; --apply takes them over)")
