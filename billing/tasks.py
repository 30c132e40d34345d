"""What billing does in the background. Every task re-derives its work from the database; running one twice is harmless."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import escrow, ingest, partitions, rollup


@shared_task(name="billing.roll_up")
def roll_up() -> None:
    rollup.roll_up()


@shared_task(name="billing.forget_balances")
def forget_balances() -> None:
    """Forget what budgets of short windows held a week ago."""
    escrow.forget_balances(int((timezone.now() - timedelta(days=7)).timestamp()))


@shared_task(name="billing.forget_journals")
def forget_journals() -> None:
    """Forget how far journals were drained that were finished a week ago."""
    ingest.forget_journals(timezone.now() - timedelta(days=7))


@shared_task(name="billing.prepare_partitions")
def prepare_partitions() -> None:
    partitions.prepare(timezone.now().date())
