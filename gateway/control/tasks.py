"""Background work of the gateway."""

from celery import shared_task
from django.conf import settings

from gateway.control.drain import recover


@shared_task(name="gateway.sweep_journals")
def sweep_journals() -> None:
    """Drain what dead gateways on this disk left. A living gateway holds its journal's lock, so it is left alone."""
    recover(settings.JOURNAL_DIR)
