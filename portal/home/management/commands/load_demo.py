"""`manage.py load_demo`: teams, people, models and limits to try Atrium with; once."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.people.audit import Actor


class Command(BaseCommand):
    help = "Load the demo's teams, people, models and limits, unless they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo data goes with ATRIUM_DEMO=1 only.")
        from portal.demo.data import load_demo
        from portal.demo.welcome import ensure_key

        load_demo(Actor("demo"))
        ensure_key()
