"""Background work of the people app."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from portal.people.models import Change, PersonSession

KEPT = timedelta(days=2)  # a gateway that slept longer compiles everything anew


@shared_task(name="people.trim_changes")
def trim_changes() -> None:
    """Forget the old part of the change feed."""
    Change.objects.filter(at__lt=timezone.now() - KEPT).delete()


@shared_task(name="people.trim_sessions")
def trim_sessions() -> None:
    """Forget sessions that have ended by themselves."""
    PersonSession.objects.filter(expire_date__lt=timezone.now()).delete()
