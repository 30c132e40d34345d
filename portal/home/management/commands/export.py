"""manage.py export: print Atrium's configuration as YAML."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.config.export import export


class Command(BaseCommand):
    help = "Print the configuration as YAML that `apply` takes without a change. Stored secrets are not in it."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(export(), ending="")
