"""The home app."""

from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "portal.home"
    label = "home"

    def ready(self) -> None:
        from portal import checks  # noqa: F401  # registers the numbered system checks
