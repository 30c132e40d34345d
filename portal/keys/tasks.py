"""What runs by the clock for keys and exceptions; the schedule is in portal/celery.py, the work in actions/upkeep.py."""

from celery import shared_task

from billing.thresholds import note_crossed
from portal.keys.actions import upkeep
from portal.keys.limit_notices import tell_of_limits
from portal.keys.notices import mail_notices
from portal.people.audit import Actor

ATRIUM = Actor("task")


@shared_task(name="keys.expire")
def expire() -> None:
    """Write down which keys and retiring secrets have come to their end."""
    upkeep.end_expired_keys(ATRIUM)
    upkeep.end_retired_secrets(ATRIUM)


@shared_task(name="keys.end_exceptions")
def end_exceptions() -> None:
    """Write down which exceptions have come to their end."""
    upkeep.end_exceptions(ATRIUM)


@shared_task(name="keys.mark_rotations_due")
def mark_rotations_due() -> None:
    """Ask owners for new secrets."""
    upkeep.mark_rotations_due(ATRIUM)


@shared_task(name="keys.send_expiry_notices")
def send_expiry_notices() -> None:
    """Tell owners which keys end soon."""
    upkeep.send_expiry_notices()


@shared_task(name="keys.tell_of_limits")
def tell_limits() -> None:
    """Tell people which of their limits have reached a share that they want to hear of."""
    note_crossed()
    tell_of_limits()


@shared_task(name="keys.mail_notices")
def send_mail() -> None:
    """Send the notices that wait, where there is a mail server."""
    mail_notices()
