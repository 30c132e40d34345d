"""Who did what, to what, when, from where; before and after, without secrets."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Cast
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

    def matching(self, words: str) -> Self:
        """Narrow to events that hold `words` anywhere: event, names, before and after."""
        if not words:
            return self
        texts = self.annotate(
            before_text=Cast("before", models.TextField()), after_text=Cast("after", models.TextField())
        )
        fields = ("event", "actor_label", "target_label", "target_id", "before_text", "after_text")
        return texts.filter(any_of(fields, words))

    def by(self, who: str) -> Self:
        return self.filter(models.Q(actor_id=who) | models.Q(actor_label__icontains=who)) if who else self

    def named(self, event: str) -> Self:
        return self.filter(event__icontains=event) if event else self

    def about(self, what: str) -> Self:
        exact = models.Q(target_id=what) | models.Q(target_kind__iexact=what)
        return self.filter(exact | models.Q(target_label__icontains=what)) if what else self

    def in_team(self, team_id: str) -> Self:
        return self.filter(team_id=team_id) if team_id else self

    def older_than(self, event: "AuditEvent") -> Self:
        """Narrow to what comes after `event` in the list, which begins with the newest."""
        return self.filter(models.Q(at__lt=event.at) | models.Q(at=event.at, id__lt=event.pk))

    def newer_than(self, event: "AuditEvent") -> Self:
        return self.filter(models.Q(at__gt=event.at) | models.Q(at=event.at, id__gt=event.pk))


def any_of(fields: Iterable[str], words: str) -> models.Q:
    found = models.Q()
    for field in fields:
        found |= models.Q(**{f"{field}__icontains": words})
    return found


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
