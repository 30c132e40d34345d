"""The gateway's Django app: commands and tasks, no tables."""

from django.apps import AppConfig


class ControlConfig(AppConfig):
    name = "gateway.control"
    label = "gateway_control"
