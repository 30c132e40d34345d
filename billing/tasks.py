"""What billing does in the background. Every task re-derives its work from the database; running one twice is harmless."""

from celery import shared_task
from django.utils import timezone

from billing import partitions, rollup


@shared_task(name="billing.roll_up")
def roll_up() -> None:
    rollup.roll_up()


@shared_task(name="billing.prepare_partitions")
def prepare_partitions() -> None:
    partitions.prepare(timezone.now().date())
