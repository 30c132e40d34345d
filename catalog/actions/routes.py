"""Writes about where the calls of a model go."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Deployment, Model, Route
from catalog.routes import BadRoute, Names, RouteBody, read_route, strangers, written
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded
from portal.people.models import Team


def set_route(
    *,
    actor: Actor,
    model: Model,
    body: dict[str, Any],
    restart_canary: bool = False,
    recorded_as: str = "model:set_route",
) -> RouteBody:
    """Make `body` (see `catalog.routes`) the route of `model`; an empty one is the usual route.

    A canary that is new or changed begins to count anew, and so does one that is restarted. Needs catalog.manage. Writes
    nothing where it is so already. Raises ValidationError, by path within the route.
    """
    demand(actor, "catalog.manage")
    with recorded(actor, recorded_as, model) as trail:
        Model.objects.select_for_update().get(pk=model.pk)
        try:
            route = read_route(body)
        except BadRoute as bad:
            raise ValidationError(_by_path(bad.mistakes)) from None
        standing = Route.objects.filter(model=model).first()
        before, after = standing.body if standing else {}, written(route)
        started = bool(route.canary) and (restart_canary or before.get("canary") != after.get("canary"))
        if before == after and not started:  # even where what it names is gone by now
            trail.skip()
            return route
        unknown = strangers(route, names_of(model))
        unknown += [
            (f"fallbacks[{n}].model", "a model is no fallback of itself")
            for n, one in enumerate(route.fallbacks)
            if one.model == model.slug
        ]
        if route.redirect is not None and route.redirect.to == model.slug:
            unknown.append(("redirect.to", "a model is no successor of itself"))
        if unknown:
            raise ValidationError(_by_path(unknown))
        if after:
            since = timezone.now() if started or standing is None else standing.canary_since
            fields = {"body": after, "canary_since": since, "updated_at": timezone.now()}
            Route.objects.update_or_create(model=model, defaults=fields)
        else:
            Route.objects.filter(model=model).delete()
        trail.before, trail.after = {"route": before}, {"route": after}
        trail.changed("model", model.pk)
    return route


def route_of(model: Model) -> RouteBody:
    """Return the route of a model as it is stored; the usual one without a row."""
    row = Route.objects.filter(model=model).first()
    return read_route(row.body) if row else RouteBody()


def names_of(model: Model) -> Names:
    """Return what the names in the route of `model` stand for now."""
    rows = Deployment.objects.filter(model=model).order_by("position", "pk")
    places = rows.values_list("provider__slug", "upstream_model", "pk")
    return Names(
        deployments={f"{provider}/{upstream}": pk for provider, upstream, pk in places},
        models=dict(Model.objects.values_list("slug", "pk")),
        teams=dict(Team.objects.values_list("slug", "pk")),
    )


def _by_path(mistakes: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, words in mistakes:
        found.setdefault(path or "route", []).append(words)
    return found
