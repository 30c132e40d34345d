"""`manage.py rebuild_rollups [--from D] [--to D]`: derive the sums of hours and days anew from events."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import rollup
from billing.moments import MomentError, parse_end, parse_start


class Command(BaseCommand):
    help = "Derive the hourly and daily sums anew from usage events (all of them, unless --from or --to narrows)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="start", default="", help="YYYY-MM-DD or RFC 3339")
        parser.add_argument("--to", dest="end", default="", help="YYYY-MM-DD (included) or RFC 3339 (not included)")

    def handle(self, *args: Any, **options: Any) -> None:
        found = rollup.extent()
        try:
            start = parse_start(options["start"]) if options["start"] else found and found[0]
            end = parse_end(options["end"]) if options["end"] else found and found[1]
        except MomentError as error:
            raise CommandError(str(error)) from None
        if not start or not end:
            self.stdout.write("There are no events.")
            return
        if start >= end:
            raise CommandError("--from must be before --to.")
        self.stdout.write(f"Rebuilt {rollup.rebuild(start, end)} hours.")
