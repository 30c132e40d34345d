"""Writes about where models are served."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError

from catalog.known_words import ordered
from catalog.models import Deployment, Model, Provider
from catalog.models.models import DATA_CLASSES
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded

MAX_WEIGHT = 1_000_000
MAX_TIMEOUT_S = 3_600
TIMEOUTS = ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s", "total_timeout_s")
FIELDS = ("weight", "enabled", "region", "data_classes", *TIMEOUTS)


class Place(NamedTuple):
    """One deployment as it should be. What is None or empty is as the provider, or the gateway, has it."""

    provider: Provider
    upstream_model: str
    weight: int = 1
    enabled: bool = True
    region: str = ""
    data_classes: Sequence[str] = ()
    connect_timeout_s: int | None = None
    first_byte_timeout_s: int | None = None
    idle_timeout_s: int | None = None
    total_timeout_s: int | None = None


def set_deployments(*, actor: Actor, model: Model, deployments: Sequence[Place]) -> list[Deployment]:
    """Make `deployments` the whole list of where `model` is served, in this order. A deployment that stays keeps its id.

    Needs catalog.manage. Raises ValidationError for a place named twice, an empty name, a number out of range.
    """
    demand(actor, "catalog.manage")
    places = [_checked(place) for place in deployments]
    _refuse_twice(places)
    with recorded(actor, "model:set_deployments", model) as trail:
        Model.objects.select_for_update().get(pk=model.pk)
        rows = Deployment.objects.filter(model=model).select_related("provider").order_by("position", "pk")
        standing = {(row.provider_id, row.upstream_model): row for row in rows}
        before = _listed(standing.values())
        kept = [
            _keep(model, standing.pop((place.provider.pk, place.upstream_model), None), place, position)
            for position, place in enumerate(places)
        ]
        Deployment.objects.filter(pk__in=[row.pk for row in standing.values()]).delete()
        after = _listed(kept)
        if before == after:
            trail.skip()
            return kept
        trail.before, trail.after = {"deployments": before}, {"deployments": after}
        trail.changed("model", model.pk)
    return kept


def _keep(model: Model, standing: Deployment | None, place: Place, position: int) -> Deployment:
    """Write one row where it is new or differs."""
    wanted: dict[str, Any] = {name: getattr(place, name) for name in FIELDS} | {"position": position}
    wanted["data_classes"] = list(place.data_classes)
    if standing is None:
        return Deployment.objects.create(
            model=model, provider=place.provider, upstream_model=place.upstream_model, **wanted
        )
    changed = [name for name, value in wanted.items() if getattr(standing, name) != value]
    if changed:
        for name in changed:
            setattr(standing, name, wanted[name])
        standing.save(update_fields=changed)
    return standing


def _checked(place: Place) -> Place:
    """Raises ValidationError, in words that name the place."""
    at = f"{place.upstream_model[:80]} at {place.provider.slug}"
    mistakes: dict[str, Any] = {}
    if not place.upstream_model or len(place.upstream_model) > 200 or not place.upstream_model.isprintable():
        raise ValidationError(f"The model's name at {place.provider.slug} is 1 to 200 printable characters.")
    if not 0 <= place.weight <= MAX_WEIGHT:
        raise ValidationError(f"The weight of {at} is not between 0 and {MAX_WEIGHT}.")
    if len(place.region) > 64 or not place.region.isprintable():
        raise ValidationError(f"The region of {at} has at most 64 printable characters.")
    for name in TIMEOUTS:
        seconds = getattr(place, name)
        if seconds is not None and not 1 <= seconds <= MAX_TIMEOUT_S:
            raise ValidationError(f"The time limits of {at} are between 1 and {MAX_TIMEOUT_S} seconds.")
    classes = ordered(place.data_classes, DATA_CLASSES, "data_classes", mistakes)
    if mistakes:
        raise ValidationError(f"The data classes of {at}: {mistakes['data_classes'][0]}")
    return place._replace(data_classes=tuple(classes))


def _refuse_twice(places: Iterable[Place]) -> None:
    seen: set[tuple[str, str]] = set()
    for place in places:
        key = (place.provider.pk, place.upstream_model)
        if key in seen:
            raise ValidationError(f"{place.upstream_model} at {place.provider.slug} is listed twice.")
        seen.add(key)


def _listed(rows: Iterable[Deployment]) -> list[dict[str, Any]]:
    """Return what the audit trail shows: only what is said of a deployment."""
    return [
        {"provider": row.provider.slug, "model": row.upstream_model, "weight": row.weight, "enabled": row.enabled}
        | {name: getattr(row, name) for name in FIELDS[2:] if getattr(row, name)}
        for row in rows
    ]
