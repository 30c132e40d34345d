"""Where calls of a model go, and the names that lead to models."""

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class Route(models.Model):
    """What was decided about the ways of one model; without a row it is `gateway.routing.policy.DEFAULT_ROUTE`.

    `body` is the JSON that `catalog.routes` reads and writes, the one place that knows its shape.
    """

    id = OpaqueIdField(prefix="route")
    model = models.OneToOneField("catalog.Model", on_delete=models.CASCADE, related_name="route")
    body = models.JSONField(default=dict)
    canary_since = models.DateTimeField(null=True, blank=True)  # when its canary was started, the last time
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"route of {self.model}"


class Alias(models.Model):
    """A name that clients may call in place of a model's id, and the model that it points to now."""

    id = OpaqueIdField(prefix="alias")
    slug = models.CharField(max_length=128, unique=True)
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="aliases")
    since = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug
