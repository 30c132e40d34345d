"""Sums of usage per hour and per day, always re-derivable from events."""

from datetime import date
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from portal.people.access import Viewer


class RollupQuerySet(models.QuerySet["Rollup"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for who may see all spend; else own use and that of teams they lead."""
        if viewer.allows("usage.all"):
            return self
        return self.filter(models.Q(user_id=viewer.user.pk) | models.Q(team_id__in=viewer.led_team_ids))

    def between(self, column: str, first: date, last: date) -> Self:
        """Narrow to rows whose `column` (`day`, `hour`) is in [first, last]."""
        return self.filter(**{f"{column}__gte": first, f"{column}__lte": last})


class Rollup(models.Model):
    """The dimensions and sums that hours and days share."""

    id = models.BigAutoField(primary_key=True)
    team_id = models.CharField(max_length=40)
    user_id = models.CharField(max_length=40)
    key_id = models.CharField(max_length=40)
    application_id = models.CharField(max_length=40, blank=True)
    model_id = models.CharField(max_length=40)
    provider_id = models.CharField(max_length=40)
    requests = models.BigIntegerField()
    errors = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost_nano_usd = models.BigIntegerField()
    estimated = models.BigIntegerField()  # how many of the requests are estimates

    objects = RollupQuerySet.as_manager()

    class Meta:
        abstract = True


DIMENSIONS = ["team_id", "user_id", "key_id", "application_id", "model_id", "provider_id"]


class RollupHour(Rollup):
    """Sums of one UTC hour."""

    hour = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hour", *DIMENSIONS], name="rolluphour_once")]


class RollupDay(Rollup):
    """Sums of one day in the billing time zone."""

    day = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", *DIMENSIONS], name="rollupday_once")]
        indexes = [
            models.Index(fields=["team_id", "day"], name="rollupday_team"),
            models.Index(fields=["user_id", "day"], name="rollupday_user"),
            models.Index(fields=["key_id", "day"], name="rollupday_key"),
        ]


class DirtyHour(models.Model):
    """An hour that got new events since it was last rolled up; written in the transaction that inserts them."""

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(db_index=True)


class RollupState(models.Model):
    """One row: until when the sums are whole. `version` counts writes, so that a sum computed before another write is dropped."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)
    data_until = models.DateTimeField(null=True)
