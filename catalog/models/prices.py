"""What a model costs from a moment on."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone

from portal.people.fields import OpaqueIdField


class PriceQuerySet(models.QuerySet["Price"]):
    def in_force(self, at: datetime, deployment_id: str = "") -> Self:
        """Prices of models, or of one deployment, whose time has come at `at`; latest first."""
        return self.filter(effective_from__lte=at, deployment_id=deployment_id).order_by("-effective_from")


class Price(models.Model):
    """Rates in nano-USD per 1,000,000 tokens (`"0.15"` USD is 150,000,000); `request` in nano-USD per call.

    Rows are never edited: a new price is a new row with a later `effective_from`. `deployment_id`: where it costs that,
    if not everywhere. It is no foreign key, since what was spent keeps its price when a deployment is taken off.
    `units`: rates of `gateway.units.UNITS` by name, in nano-USD per 1,000,000 of each. `long`: {} or what the whole of a
    call costs whose prompt has more than `above` tokens: `input`, `output`, and `cached_input`, `cache_write`, `units`
    where they are said (units that are not cost the same). `batch_percent`: what a call costs within a batch, of all that.
    """

    id = OpaqueIdField(prefix="price")
    model = models.ForeignKey("catalog.Model", on_delete=models.CASCADE, related_name="prices")
    deployment_id = models.CharField(max_length=40, blank=True)
    effective_from = models.DateTimeField(default=timezone.now)
    input = models.BigIntegerField()
    cached_input = models.BigIntegerField(null=True, blank=True)
    cache_write = models.BigIntegerField(null=True, blank=True)
    output = models.BigIntegerField()
    request = models.BigIntegerField(default=0)
    units = models.JSONField(default=dict, blank=True)
    long = models.JSONField(default=dict, blank=True)
    batch_percent = models.PositiveSmallIntegerField(default=50)  # as OpenAI has it for all models
    free = models.BooleanField(default=False)
    source = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["-effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["model", "deployment_id", "effective_from"], name="price_once_at_a_time"),
            models.CheckConstraint(
                condition=models.Q(input__gte=0, output__gte=0, request__gte=0), name="price_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(free=True, input=0, output=0, request=0, units={}, long={})
                | models.Q(free=False)
                & (models.Q(input__gt=0) | models.Q(output__gt=0) | models.Q(request__gt=0) | ~models.Q(units={})),
                name="price_zero_only_when_free",
            ),
            models.CheckConstraint(condition=models.Q(batch_percent__lte=100), name="price_batch_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"price of {self.model} from {self.effective_from:%Y-%m-%d}"
