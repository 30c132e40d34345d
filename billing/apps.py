"""The billing app."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils import timezone


def make_partitions(using: str, **_: Any) -> None:
    """Make the partitions of the coming months whenever tables were brought up to date, so at every start."""
    from django.db import connections

    from billing import partitions

    if partitions.TABLE in connections[using].introspection.table_names():
        partitions.prepare(timezone.now().date())


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        post_migrate.connect(make_partitions, sender=self)
