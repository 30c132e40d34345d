"""Exceptions: what somebody asks for, and what was decided."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField

if TYPE_CHECKING:
    from portal.people.access import Viewer


class RequestQuerySet(models.QuerySet["KeyRequest"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for admins and auditors; else own requests, and those one may decide on."""
        if viewer.allows("requests.decide_all") or viewer.allows("keys.view_all"):
            return self
        return self.filter(
            models.Q(requester=viewer.user) | models.Q(id__in=KeyRequest.objects.decidable_by(viewer).values("id"))
        )

    def decidable_by(self, viewer: "Viewer") -> Self:
        """Requests of others that `viewer` may decide: their teams' for a lead, money for finance, all for admins."""
        others = self.exclude(requester=viewer.user)
        if viewer.allows("requests.decide_all"):
            return others
        mine = models.Q(team_id__in=viewer.led_team_ids)
        if viewer.allows("requests.decide_budget"):
            mine |= models.Q(kind=KeyRequest.Kind.BUDGET, metric="usd")
        return others.filter(mine)

    def for_list(self) -> Self:
        """Read along what lists and pages show of a request."""
        return self.select_related("requester", "team", "model", "quota", "key", "decision__decided_by")

    def in_force(self) -> Self:
        """Narrow to approved ones that have not ended."""
        return self.filter(
            status=KeyRequest.Status.APPROVED, decision__ended_at__isnull=True, decision__until__gt=timezone.now()
        )

    def open(self) -> Self:
        return self.filter(status=KeyRequest.Status.OPEN)


class KeyRequest(models.Model):
    """Somebody asks for a model, or for more of a limit, with a reason and an end date."""

    class Kind(models.TextChoices):
        MODEL = "model", "A model"
        BUDGET = "budget", "A higher limit"

    class Status(models.TextChoices):
        OPEN = "open", "Waiting"
        APPROVED = "approved", "Approved"
        DENIED = "denied", "Denied"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id = OpaqueIdField(prefix="xr")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    requester = models.ForeignKey("people.User", on_delete=models.CASCADE, related_name="requests")
    team = models.ForeignKey("people.Team", on_delete=models.CASCADE, related_name="requests")
    key = models.ForeignKey("keys.Key", null=True, blank=True, on_delete=models.CASCADE, related_name="requests")
    model = models.ForeignKey("catalog.Model", null=True, blank=True, on_delete=models.CASCADE, related_name="requests")
    quota = models.ForeignKey(
        "billing.Quota", null=True, blank=True, on_delete=models.SET_NULL, related_name="requests"
    )
    metric = models.CharField(
        max_length=16, blank=True
    )  # of the quota: the request says what was asked once it is gone
    window = models.CharField(max_length=16, blank=True)
    amount = models.BigIntegerField(null=True, blank=True)  # nano-USD where the quota counts money, else a count
    reason = models.TextField(max_length=2000)
    until = models.DateTimeField()
    refused_request_id = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    version = models.PositiveIntegerField(default=1)  # what the approver saw is what is decided
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = RequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["team", "status"], name="request_team"),
            models.Index(fields=["requester", "status"], name="request_requester"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="model", model__isnull=False)
                | models.Q(kind="budget", amount__gt=0) & ~models.Q(metric=""),
                name="request_names_its_object",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.team}"


class Approval(models.Model):
    """The decision on a request: one, by somebody else, with words."""

    id = OpaqueIdField(prefix="apv")
    request = models.OneToOneField(KeyRequest, on_delete=models.CASCADE, related_name="decision")
    decided_by = models.ForeignKey("people.User", on_delete=models.PROTECT, related_name="decisions")
    approved = models.BooleanField()
    words = models.TextField(max_length=2000, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    amount = models.BigIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(default=timezone.now, editable=False)
