"""A named piece of software that calls models on behalf of a team."""

from django.db import models
from django.utils import timezone

from gateway.routing.policy import DATA_CLASSES
from portal.people.fields import OpaqueIdField
from portal.people.models.team import Team
from portal.people.models.user import User


class Application(models.Model):
    """An application owns service keys; it outlives the people who look after it."""

    id = OpaqueIdField(prefix="app")
    slug = models.SlugField(max_length=64)
    name = models.CharField(max_length=200)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="applications")
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    data_class = models.CharField(
        max_length=16, blank=True
    )  # of its keys' calls at least; empty: the model's tier says
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "slug"], name="application_slug_in_team"),
            models.CheckConstraint(
                condition=models.Q(data_class__in=["", *DATA_CLASSES]), name="application_data_class_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
