"""Models as employees know them."""

from typing import Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField

CAPABILITIES = (
    "chat", "tools", "vision", "structured", "reasoning", "embeddings", "completions",
    "image", "speech", "transcription", "moderation", "rerank", "realtime",
)  # fmt: skip
DATA_CLASSES = ("public", "internal", "confidential", "restricted")


class ModelQuerySet(models.QuerySet["Model"]):
    def listed(self) -> Self:
        """Models that people may find: retired ones are left out."""
        return self.exclude(stage=Model.Stage.RETIRED)

    def matching(self, words: str) -> Self:
        """Narrow to models whose name, id or description holds `words`."""
        if not words:
            return self
        return self.filter(
            models.Q(display_name__icontains=words)
            | models.Q(slug__icontains=words)
            | models.Q(description__icontains=words)
        )


class Model(models.Model):
    """A model that the company has put into its catalogue. Clients call it by `slug`."""

    class Tier(models.TextChoices):
        SANDBOX = "sandbox", "Sandbox"
        PRODUCTION = "production", "Production"
        HIGH_RISK = "high-risk", "High risk"

    class Stage(models.TextChoices):
        PREVIEW = "preview", "Preview"
        APPROVED = "approved", "Approved"
        DEPRECATED = "deprecated", "Deprecated"
        RETIRED = "retired", "Retired"

    id = OpaqueIdField(prefix="mdl")
    slug = models.CharField(max_length=128, unique=True)
    display_name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    vendor = models.CharField(max_length=100, blank=True)
    capabilities = models.JSONField(default=list)
    context_tokens = models.PositiveIntegerField()
    max_output_tokens = models.PositiveIntegerField()
    tier = models.CharField(max_length=16, choices=Tier.choices, default=Tier.SANDBOX)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.APPROVED)
    retires_on = models.DateField(null=True, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    data_classes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["display_name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(context_tokens__gt=0), name="model_has_context"),
        ]

    def __str__(self) -> str:
        return self.display_name
