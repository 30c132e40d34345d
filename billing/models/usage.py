"""One row for each attempt that reached, or may have reached, a provider."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from portal.people.access import Viewer


class UsageQuerySet(models.QuerySet["UsageEvent"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for who may see all use; else own calls and those of teams they lead."""
        if viewer.allows("usage.all"):
            return self
        return self.filter(models.Q(user_id=viewer.user.pk) | models.Q(team_id__in=viewer.led_team_ids))

    def between(self, start: datetime, end: datetime) -> Self:
        """Narrow to [start, end), by month too so that PostgreSQL skips partitions."""
        return self.filter(at__gte=start, at__lt=end, month__gte=start.date().replace(day=1), month__lte=end.date())


class UsageEvent(models.Model):
    """Partitioned by `month` (the UTC month of `at`) on PostgreSQL. Token buckets as in `gateway.types.Usage`."""

    pk = models.CompositePrimaryKey("month", "request_id", "attempt")
    month = models.DateField()
    request_id = models.CharField(max_length=40)
    attempt = models.PositiveSmallIntegerField(default=1)
    at = models.DateTimeField()
    team_id = models.CharField(max_length=40)
    user_id = models.CharField(max_length=40)
    key_id = models.CharField(max_length=40)
    application_id = models.CharField(max_length=40, null=True, blank=True)
    model_id = models.CharField(max_length=40)
    deployment_id = models.CharField(max_length=40)
    provider_id = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=40)
    streamed = models.BooleanField()
    client = models.CharField(max_length=64, blank=True)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=64, blank=True)
    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost_nano_usd = models.BigIntegerField()
    latency_ms = models.IntegerField()
    ttft_ms = models.IntegerField()
    overhead_us = models.IntegerField()
    units = models.JSONField(null=True, blank=True)  # of `gateway.units.UNITS`, by name; nearly always none
    estimated = models.BooleanField()
    policy_version = models.BigIntegerField()
    price_id = models.CharField(max_length=40, blank=True)
    asked_model_id = models.CharField(max_length=40, blank=True, default="")  # where another model answered

    objects = UsageQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="usage_at"),
            models.Index(fields=["team_id", "at"], name="usage_team"),
            models.Index(fields=["user_id", "at"], name="usage_user"),
            models.Index(fields=["key_id", "at"], name="usage_key"),
            models.Index(fields=["model_id", "at"], name="usage_model"),
            models.Index(fields=["request_id"], name="usage_request"),
            models.Index(fields=["at"], condition=models.Q(status__gte=400), name="usage_errors"),
            models.Index(fields=["asked_model_id", "at"], condition=~models.Q(asked_model_id=""), name="usage_asked"),
        ]

    def __str__(self) -> str:
        return self.request_id


class JournalOffset(models.Model):
    """How far the journal of one gateway process has been drained: moved in the transaction that inserts its events.

    `carried` holds the opened entries from before `position` whose end has not come, such as those of long streams.
    """

    incarnation = models.CharField(max_length=40, primary_key=True)
    position = models.CharField(max_length=64)
    carried = models.BinaryField(default=b"", blank=True)
    updated_at = models.DateTimeField()
    finished = models.BooleanField(default=False)
