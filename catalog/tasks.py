"""What runs by the clock for the catalogue; the schedule is in portal/celery.py."""

from celery import shared_task

from catalog.actions.credentials import forget_former_credentials


@shared_task(name="catalog.forget_credentials")
def forget_credentials() -> None:
    """Delete former secrets of providers whose exchange can no longer be undone."""
    forget_former_credentials()
