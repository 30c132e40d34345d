"""What a model's page tells beside the model itself: its price, how it does for us, and what limits the viewer."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from catalog.models import Model, Price
from catalog.rates import Group, PriceLine, groups_of, lines_of
from portal.people.access import Viewer
from portal.people.models import Team


@dataclass(frozen=True, slots=True)
class Prices:
    """The price in force and the next one. Without `lines` and not `free`: not priced, so it cannot be called.

    `groups`: rates that few prices have.
    """

    lines: list[PriceLine]
    groups: list[Group]
    free: bool
    source: str
    next: Price | None


def price_lines(model: Model) -> Prices:
    """Return what `model` costs now, rate by rate."""
    now = timezone.now()
    rows = list(Price.objects.filter(model=model, deployment_id="").order_by("effective_from"))
    begun = [row for row in rows if row.effective_from <= now]
    coming = next((row for row in rows if row.effective_from > now), None)
    if not begun:
        return Prices([], [], False, "", coming)
    price = begun[-1]
    return Prices([] if price.free else lines_of(price), groups_of(price), price.free, price.source, coming)


def facts_of(viewer: Viewer, model: Model) -> dict[str, Any]:
    """Return `health` and `limits`, as told by what stands above the catalogue (see MODEL_FACTS in the settings)."""
    teams = Team.objects.filter(pk__in=viewer.team_ids).order_by("name").values_list("pk", flat=True)
    scopes = [
        ("user", viewer.user.pk), *(("team", team) for team in teams), ("model", model.pk),
        ("organisation", settings.ORGANISATION_ID),
    ]  # fmt: skip
    limits = import_string(settings.MODEL_FACTS["limits"])(scopes, viewer, model.pk)
    return {"health": import_string(settings.MODEL_FACTS["health"])(model.pk), "limits": limits}
