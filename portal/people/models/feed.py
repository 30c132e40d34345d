"""The change feed: what gateways read to stay current."""

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
