"""The people app."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "portal.people"
    label = "people"

    def ready(self) -> None:
        from portal.people.identity import checks  # noqa: F401  # registers the numbered system checks
