"""The change feed: what gateways read to stay current."""

from datetime import datetime

from django.db import models
from django.utils import timezone


class Revision(models.Model):
    """One row. Locking it orders the transactions that change policy."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="revision_single_row")]


class Change(models.Model):
    """At `revision`, the entity `kind`/`entity_id` changed."""

    id = models.BigAutoField(primary_key=True)
    revision = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=32)
    entity_id = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now)


class BeatLock(models.Model):
    """One row: which process's beat sends tasks, and until when if it does not renew."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.CharField(max_length=80, blank=True)
    until = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="beatlock_single_row")]

    @classmethod
    def take(cls, holder: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lock by compare-and-set; says whether `holder` has it."""
        cls.objects.get_or_create(id=1)
        mine_or_free = models.Q(holder=holder) | models.Q(until__lte=now)
        return bool(cls.objects.filter(mine_or_free, id=1).update(holder=holder, until=until))
