"""What a model's page tells beside the model itself: its price, how it does for us, and what limits the viewer."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from catalog.models import Model, Price
from gateway.money import format_usd
from portal.people.access import Viewer
from portal.people.models import Team


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One rate, in words; `amount` in USD."""

    words: str
    amount: str
    unit: str = "per 1M tokens"


@dataclass(frozen=True, slots=True)
class Prices:
    """The price in force and the next one. Without `lines` and not `free`: not priced, so it cannot be called."""

    lines: list[PriceLine]
    free: bool
    source: str
    next: Price | None


RATES = (
    ("input", "Input"),
    ("cached_input", "Input read from the provider's cache"),
    ("cache_write", "Input written to the provider's cache"),
    ("output", "Output"),
)


def price_lines(model: Model) -> Prices:
    """Return what `model` costs now, rate by rate."""
    now = timezone.now()
    rows = list(Price.objects.filter(model=model, deployment_id="").order_by("effective_from"))
    begun = [row for row in rows if row.effective_from <= now]
    coming = next((row for row in rows if row.effective_from > now), None)
    if not begun:
        return Prices([], False, "", coming)
    price = begun[-1]
    lines = [PriceLine(words, _usd(getattr(price, name))) for name, words in RATES if getattr(price, name) is not None]
    if price.request:
        lines.append(PriceLine("Each call", _usd(price.request), "per call"))
    return Prices([] if price.free else lines, price.free, price.source, coming)


def facts_of(viewer: Viewer, model: Model) -> dict[str, Any]:
    """Return `health` and `limits`, as told by what stands above the catalogue (see MODEL_FACTS in the settings)."""
    teams = Team.objects.filter(pk__in=viewer.team_ids).order_by("name").values_list("pk", flat=True)
    scopes = [
        ("user", viewer.user.pk), *(("team", team) for team in teams), ("model", model.pk),
        ("organisation", settings.ORGANISATION_ID),
    ]  # fmt: skip
    limits = import_string(settings.MODEL_FACTS["limits"])(scopes, viewer, model.pk)
    return {"health": import_string(settings.MODEL_FACTS["health"])(model.pk), "limits": limits}


def _usd(nano: int) -> str:
    return f"${format_usd(nano)}"
