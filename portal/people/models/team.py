"""Teams, who belongs to them, and the cost centres that pay."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField
from portal.people.models.user import GlobalRole, User

if TYPE_CHECKING:
    from portal.people.access import Viewer


class CostCentre(models.Model):
    """Where spend is charged."""

    id = OpaqueIdField(prefix="cc")
    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.code


class TeamQuerySet(models.QuerySet["Team"]):
    def visible_to(self, viewer: "Viewer") -> Self:
        """Teams that `viewer` may look at: all for who may view people, else their own."""
        return self if viewer.allows("people.view") else self.filter(id__in=viewer.team_ids)

    def led_by(self, viewer: "Viewer") -> Self:
        return self.filter(id__in=viewer.led_team_ids)

    def matching(self, words: str) -> Self:
        """Narrow to teams whose name, short name or cost centre holds `words`."""
        if not words:
            return self
        return self.filter(
            models.Q(name__icontains=words)
            | models.Q(slug__icontains=words)
            | models.Q(cost_centre__code__icontains=words)
        )

    def with_counts(self) -> Self:
        """Add `member_count` and `lead_count`."""
        leads = models.Q(memberships__role=Membership.Role.LEAD)
        return self.annotate(
            member_count=models.Count("memberships"), lead_count=models.Count("memberships", filter=leads)
        )


class Team(models.Model):
    """A group of people who share models, budgets and keys."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        BLOCKED = "blocked", "Blocked"

    id = OpaqueIdField(prefix="team")
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    cost_centre = models.ForeignKey(CostCentre, null=True, blank=True, on_delete=models.PROTECT, related_name="teams")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in a team."""

    class Role(models.TextChoices):
        MEMBER = "member", "Member"
        LEAD = "lead", "Lead"

    id = OpaqueIdField(prefix="mbr")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    source = models.CharField(max_length=10, choices=GlobalRole.Source.choices, default=GlobalRole.Source.MANUAL)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
