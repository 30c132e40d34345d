"""Which team may use which model, and for how long an exception lets it."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class TeamModel(models.Model):
    """A team may use a model until somebody takes it away."""

    id = OpaqueIdField(prefix="tm")
    team = models.ForeignKey("people.Team", on_delete=models.CASCADE, related_name="team_models")
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="team_models")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "model"], name="teammodel_once")]


class GrantQuerySet(models.QuerySet["ModelGrant"]):
    def in_force(self, at: datetime) -> Self:
        return self.filter(ended_at__isnull=True, until__gt=at)


class ModelGrant(models.Model):
    """An approved exception: the model for a team's person (`user_id`) or one key (`key_id`), until a moment.

    Keys stand above the catalogue, so the key is an opaque id here.
    """

    id = OpaqueIdField(prefix="grant")
    team = models.ForeignKey("people.Team", on_delete=models.CASCADE, related_name="model_grants")
    user = models.ForeignKey(
        "people.User", null=True, blank=True, on_delete=models.CASCADE, related_name="model_grants"
    )
    key_id = models.CharField(max_length=40, blank=True)
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="grants")
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = GrantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["until"], name="modelgrant_until")]
