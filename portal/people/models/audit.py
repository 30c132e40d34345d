"""Who did what, to what, when, from where; before and after, without secrets."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField

if TYPE_CHECKING:
    from portal.people.access import Viewer


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        return self if viewer.allows("audit.view") else self.none()

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Narrow to events in [start, end)."""
        rows = self.filter(at__gte=start) if start else self
        return rows.filter(at__lt=end) if end else rows


class AuditEvent(models.Model):
    """One row for each write, in the transaction of that write. `event` is `source:subject:action`."""

    id = OpaqueIdField(prefix="aud")
    at = models.DateTimeField(default=timezone.now)
    event = models.CharField(max_length=80)
    actor_id = models.CharField(max_length=40, blank=True)
    actor_label = models.CharField(max_length=300)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=40)
    target_label = models.CharField(max_length=300, blank=True)
    team_id = models.CharField(max_length=40, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True, blank=True)
    revision = models.BigIntegerField(null=True, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["at", "id"], name="audit_at"),
            models.Index(fields=["event", "at"], name="audit_event"),
            models.Index(fields=["actor_id", "at"], name="audit_actor"),
            models.Index(fields=["target_id", "at"], name="audit_target"),
            models.Index(fields=["team_id", "at"], name="audit_team"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.target_label}"
