"""The page of a model's route, with a dry run: where would this call go?"""

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods, require_safe

from catalog.actions.deployments import set_deployments
from catalog.actions.routes import route_of, set_route
from catalog.forms.posting import posted
from catalog.forms.routes import DryRunForm, RouteForms
from catalog.models import Deployment, Model
from catalog.routes import written
from portal.people.access import requires
from portal.people.audit import actor_of


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def route_edit(request: HttpRequest, model_id: str) -> HttpResponse:
    model = get_object_or_404(Model, pk=model_id)
    places = list(model.deployments.select_related("provider").order_by("position", "pk"))
    route = route_of(model)
    forms = RouteForms(posted(request), model=model, route=route, places=places)
    if forms.main.is_bound and forms.is_valid():
        try:
            with transaction.atomic():
                actor, again = actor_of(request), forms.main.cleaned_data["canary_restart"]
                set_deployments(actor=actor, model=model, deployments=forms.wanted_places())
                set_route(actor=actor, model=model, body=forms.body(), restart_canary=again)
            messages.success(request, "Saved. Gateways follow within a second.")
            return redirect("catalog-route-edit", model.pk)
        except ValidationError as refused:
            by_path = refused.message_dict if hasattr(refused, "error_dict") else {"": refused.messages}
            forms.refuse(by_path)
    breakers = _breakers(places)
    rows = [(place, row, breakers.get(place.pk)) for place, row in forms.places_and_rows]
    context = {"model": model, "forms": forms, "places": rows, "usual": not written(route)}
    return render(request, "catalog/route_edit.html", context, status=422 if forms.is_wrong() else 200)


def _breakers(places: Sequence[Deployment]) -> dict[str, Any]:
    """Return what keeps each place from calls, by id: the breaker of its provider's credential, or else its own.

    Places of which nobody can say now how they stand are left out.
    """
    standing_of = import_string(settings.CATALOG_STANDING)
    standing = {provider: standing_of(provider) for provider in {place.provider for place in places}}
    found = {place.pk: standing[place.provider] for place in places}
    return {
        pk: one.places.get(pk) if one.credential.state == "closed" else one.credential
        for pk, one in found.items()
        if one
    }


@requires("catalog.manage")
@require_safe
def route_dry_run(request: HttpRequest, model_id: str) -> HttpResponse:
    """Ask where a made-up call would go; nothing is called."""
    model = get_object_or_404(Model, pk=model_id)
    form = DryRunForm(request.GET if "team" in request.GET else None)
    found: Any = None
    if form.is_valid():
        run: Callable[..., Any] = import_string(settings.CATALOG_DRY_RUN)
        found = run(model, **form.cleaned_data)
    context = {"model": model, "form": form, "found": found}
    return render(request, "catalog/route_dry_run.html", context, status=422 if form.errors else 200)
