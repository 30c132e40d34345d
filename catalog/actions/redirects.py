"""Writes about redirects: the calls of a model that is to go, sent to another one in steps."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.actions.routes import route_of, set_route
from catalog.models import Model, Route
from catalog.routes import RouteBody, written
from gateway.endpoints import ENDPOINTS
from portal.people.actions.rules import demand
from portal.people.audit import Actor

# What a model must be able to do so that a route takes calls of it: "chat", "image", …; not "tools" and the like.
SERVED = frozenset(endpoint.capability for endpoint in ENDPOINTS if endpoint.capability)


def set_redirect(*, actor: Actor, model: Model, redirect: dict[str, Any] | None) -> RouteBody:
    """Make `redirect` (see `catalog.routes.RedirectBody`) that of `model`; None ends it, and its calls stay from then on.

    It is a part of the model's route, whose other parts are left as they are. Needs catalog.manage. Writes nothing where
    it is so already. Raises ValidationError, by path within the route.
    """
    demand(actor, "catalog.manage")
    with transaction.atomic():
        Model.objects.select_for_update().get(pk=model.pk)
        body = written(route_of(model))
        body.pop("redirect", None)
        if redirect is not None:
            _check(model, str(redirect.get("to", "")))
            body["redirect"] = redirect
        return set_route(actor=actor, model=model, body=body, recorded_as="model:set_redirect")


def may_succeed(model: Model, other: Model) -> bool:
    """Say whether `other` can answer any call of `model`: both serve at least one route."""
    return not SERVED.isdisjoint(set(model.capabilities) & set(other.capabilities))


def _check(model: Model, slug: str) -> None:
    target = Model.objects.filter(slug=slug).first()
    if target is not None and not may_succeed(model, target):
        serves = ", ".join(one for one in target.capabilities if one in SERVED) or "no calls"
        raise ValidationError(
            {"redirect.to": [f"This model serves {serves}: it could answer no call of {model.slug}. Choose another."]}
        )
    if target is not None and target.stage == Model.Stage.RETIRED:
        raise ValidationError({"redirect.to": ["This model is retired itself. Choose one that stays."]})
    onward = Route.objects.filter(model__slug=slug).first()
    if onward is not None and "redirect" in onward.body and slug != model.slug:
        raise ValidationError({"redirect.to": ["The calls of this model are being redirected themselves."]})
