"""The gateway's Django app: commands, tasks, and the register of what providers keep."""

from django.apps import AppConfig


class ControlConfig(AppConfig):
    name = "gateway.control"
    label = "gateway_control"
