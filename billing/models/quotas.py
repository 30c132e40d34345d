"""Quotas, and the ledger of how much of a money quota is spent or out on lease."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string

from portal.people.fields import OpaqueIdField
from portal.people.models import Application, Membership

if TYPE_CHECKING:
    from portal.people.access import Viewer


class QuotaQuerySet(models.QuerySet["Quota"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for who may view limits; else one's own, and those of one's teams, applications and keys.

        A lead also sees those of the people and keys in the teams they lead.
        """
        if viewer.allows("quotas.view") or viewer.allows("quotas.manage"):
            return self
        people = Membership.objects.filter(team_id__in=viewer.led_team_ids).values("user_id")
        applications = Application.objects.filter(team_id__in=viewer.team_ids).values("pk")
        keys = import_string(settings.BILLING_SEEN["key"])(viewer)
        return self.filter(
            models.Q(scope_kind=Quota.Scope.TEAM, scope_id__in=viewer.team_ids)
            | models.Q(scope_kind=Quota.Scope.USER, scope_id=viewer.user.pk)
            | models.Q(scope_kind=Quota.Scope.USER, scope_id__in=people)
            | models.Q(scope_kind=Quota.Scope.APPLICATION, scope_id__in=applications)
            | models.Q(scope_kind=Quota.Scope.KEY, scope_id__in=keys)
        )


class Quota(models.Model):
    """scope × metric × window × capacity. `capacity` is nano-USD for `usd`, a count otherwise.

    With `model_id` it is a pair: the scope counts only what it does with that model. Once it is used up, calls are
    refused, or go on with `step_down_model_id` where that is set.
    """

    class Scope(models.TextChoices):
        ORGANISATION = "organisation", "Organisation"
        TEAM = "team", "Team"
        USER = "user", "Person"
        APPLICATION = "application", "Application"
        KEY = "key", "Key"
        MODEL = "model", "Model"

    class Metric(models.TextChoices):
        USD = "usd", "Money (USD)"
        REQUESTS = "requests", "Requests"
        INPUT_TOKENS = "input_tokens", "Input tokens"
        OUTPUT_TOKENS = "output_tokens", "Output tokens"
        TOTAL_TOKENS = "total_tokens", "Tokens"
        CONCURRENT = "concurrent", "Calls at once"

    class Window(models.TextChoices):
        SECOND = "second", "per second"
        MINUTE = "minute", "per minute"
        HOUR = "hour", "per hour"
        DAY = "day", "per day"
        WEEK = "week", "per week"
        MONTH = "month", "per month"
        QUARTER = "quarter", "per quarter"
        TOTAL = "total", "in total"

    id = OpaqueIdField(prefix="quota")
    scope_kind = models.CharField(max_length=16, choices=Scope.choices)
    scope_id = models.CharField(max_length=40)
    metric = models.CharField(max_length=16, choices=Metric.choices)
    window = models.CharField(max_length=16, choices=Window.choices)
    model_id = models.CharField(max_length=40, blank=True, default="")
    capacity = models.BigIntegerField()
    step_down_model_id = models.CharField(max_length=40, blank=True, default="")
    notify_percent = models.JSONField(default=list, blank=True)  # shares at which people are told
    by_lead = models.BooleanField(default=False)  # a lead set it for their team: leads may raise and remove it too
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = QuotaQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope_kind", "scope_id", "model_id", "metric", "window"], name="quota_once"
            ),
            models.CheckConstraint(condition=models.Q(capacity__gte=0), name="quota_not_negative"),
            models.CheckConstraint(
                condition=models.Q(model_id="") | ~models.Q(scope_kind__in=["organisation", "model"]),
                name="quota_pair_is_no_model",  # these two with a model are the scope `model`
            ),
            models.CheckConstraint(
                condition=~models.Q(metric="concurrent") | models.Q(window="total"), name="quota_gauge_has_no_window"
            ),
            models.CheckConstraint(
                condition=models.Q(step_down_model_id="") | ~models.Q(step_down_model_id=models.F("model_id")),
                name="quota_steps_elsewhere",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_metric_display()} {self.get_window_display()}"


class QuotaNotice(models.Model):
    """That a budget reached a share of itself in one period: noted once, and told once."""

    id = models.BigAutoField(primary_key=True)
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="notices")
    period = models.BigIntegerField()  # start of the window, epoch s
    percent = models.PositiveSmallIntegerField()
    spent = models.BigIntegerField()  # nano-USD, when it was noted
    limit = models.BigIntegerField()  # extras in force included
    at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["quota", "period", "percent"], name="quotanotice_once")]


class ExtraQuerySet(models.QuerySet["QuotaExtra"]):
    def in_force(self, at: datetime) -> Self:
        return self.filter(ended_at__isnull=True, starts__lte=at, until__gt=at)


class QuotaExtra(models.Model):
    """An approved addition to a quota between two moments."""

    id = OpaqueIdField(prefix="extra")
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="extras")
    amount = models.BigIntegerField()
    starts = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=40, blank=True)

    objects = ExtraQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="quotaextra_positive")]


class Balance(models.Model):
    """Of one money quota in one period: what is settled, and what is out on leases (nano-USD).

    `settled + leased + grant <= capacity` is checked under this row's lock whenever a grant is made.
    """

    id = models.BigAutoField(primary_key=True)
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="balances")
    period = models.BigIntegerField()  # start of the window, epoch s
    settled = models.BigIntegerField(default=0)
    leased = models.BigIntegerField(default=0)
    wanted_until = models.DateTimeField(
        null=True, blank=True
    )  # somebody could not be served: holders give back what is free

    class Meta:
        constraints = [models.UniqueConstraint(fields=["quota", "period"], name="balance_once")]
        indexes = [models.Index(fields=["wanted_until"], name="balance_wanted")]


class Lease(models.Model):
    """What one gateway process (incarnation) holds of a balance. It never expires by clock: only a drained journal frees it."""

    id = models.BigAutoField(primary_key=True)
    balance = models.ForeignKey(Balance, on_delete=models.CASCADE, related_name="leases")
    incarnation = models.CharField(max_length=40, db_index=True)
    amount = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["balance", "incarnation"], name="lease_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="lease_not_negative"),
        ]
