"""The kill switch: what is stopped, by whom, and why."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField

if TYPE_CHECKING:
    from portal.people.access import Viewer


class StopQuerySet(models.QuerySet["Stop"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """All for platform admins and auditors; for leads what concerns their teams, or everybody."""
        if viewer.allows("stops.manage") or viewer.allows("audit.view"):
            return self
        return self.filter(models.Q(team_id__in=viewer.led_team_ids) | models.Q(kind=Stop.Kind.EVERYTHING))

    def liftable_by(self, viewer: "Viewer") -> Self:
        """All for platform admins; for leads what they stopped themselves in teams they lead."""
        if viewer.allows("stops.manage"):
            return self
        return self.filter(team_id__in=viewer.led_team_ids, by_id=viewer.user.pk)

    def concerning(self, things: Iterable[tuple[str, str]]) -> Self:
        """Narrow to stops of these (kind, id), and of everything."""
        wanted = models.Q(kind=Stop.Kind.EVERYTHING)
        for kind, entity_id in things:
            wanted |= models.Q(kind=kind, entity_id=entity_id)
        return self.filter(wanted)


class Stop(models.Model):
    """One thing that is stopped until somebody lifts it. Its kind and id are opaque: it may stand above this app."""

    class Kind(models.TextChoices):
        MODEL = "model", "Model"
        PROVIDER = "provider", "Provider"
        TEAM = "team", "Team"
        KEY = "key", "Key"
        EVERYTHING = "everything", "Everything"

    id = OpaqueIdField(prefix="stop")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    entity_id = models.CharField(max_length=40, blank=True)
    label = models.CharField(max_length=200)
    team_id = models.CharField(max_length=40, blank=True)  # of a team or a key: its lead may see it
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(default=timezone.now)
    by_id = models.CharField(max_length=40, blank=True)
    by_label = models.CharField(max_length=300)

    objects = StopQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "entity_id"], name="stop_once"),
            models.CheckConstraint(
                condition=models.Q(kind="everything", entity_id="")
                | ~models.Q(kind="everything") & ~models.Q(entity_id=""),
                name="stop_names_something",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="stop_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}" if self.entity_id else "everything"

    @property
    def headline(self) -> str:
        return f"The {self.kind} {self.label} is stopped" if self.entity_id else "Every call is stopped"
