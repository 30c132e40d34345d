"""`manage.py usage`: print usage events as CSV or JSON, as they are read."""

import csv
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from billing import export
from billing.filters import DIMENSIONS, FilterError, resolve
from billing.models import UsageEvent
from billing.moments import MomentError, parse_end, parse_start
from portal.people.streaming import cell

TAKES = {
    "team": "slug",
    "user": "e-mail address",
    "key": "key id",
    "model": "slug",
    "provider": "slug",
    "application": "slug",
}


class Command(BaseCommand):
    help = "Print usage events, oldest first. Times are UTC; cost is in nano-USD (1e-9 USD)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="start", default="", help="YYYY-MM-DD (billing time zone) or RFC 3339")
        parser.add_argument("--to", dest="end", default="", help="YYYY-MM-DD (included) or RFC 3339 (not included)")
        for dimension in DIMENSIONS:
            parser.add_argument(f"--{dimension}", default="", help=TAKES[dimension])
        parser.add_argument("--format", default="csv", help="csv or json")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] not in {"csv", "json"}:
            raise CommandError(f'--format is "{options["format"]}"; use csv or json.')
        try:
            events = self.asked(options)
        except (MomentError, FilterError) as error:
            raise CommandError(str(error)) from None
        rows = export.rows_of(events)
        if options["format"] == "csv":
            writer = csv.writer(self.stdout, lineterminator="\n")
            writer.writerow(export.COLUMNS)
            writer.writerows([cell(value) for value in row] for row in export.plain(rows))
            return
        between = "[\n"
        for row in rows:
            self.stdout.write(between + json.dumps(dict(zip(export.COLUMNS, row, strict=True))), ending="")
            between = ",\n"
        self.stdout.write("[]" if between == "[\n" else "\n]")

    def asked(self, options: dict[str, Any]) -> QuerySet[UsageEvent]:
        """Return the events that the options name. Raises MomentError or FilterError."""
        events = UsageEvent.objects.all()
        start = parse_start(options["start"]) if options["start"] else None
        end = parse_end(options["end"]) if options["end"] else None
        if start and end and start >= end:
            raise MomentError("--from must be before --to.")
        if start:
            events = events.filter(at__gte=start, month__gte=start.date().replace(day=1))
        if end:
            events = events.filter(at__lt=end, month__lte=end.date())
        for dimension in DIMENSIONS:
            if options[dimension]:
                events = events.filter(**{f"{dimension}_id": resolve(dimension, options[dimension])})
        return events
