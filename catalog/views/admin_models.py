"""Pages of models for platform admins: fields, deployments, teams, retirement."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods, require_POST

from catalog.actions.access import add_team_model, remove_team_model
from catalog.actions.deployments import set_deployments
from catalog.actions.models import change_model, create_model, retire_model
from catalog.actions.routes import route_of
from catalog.connection import connected_model_ids
from catalog.forms.filters import order_of, priced
from catalog.forms.models import DeploymentFormSet, ModelForm, TeamAccessForm, first_rows, wanted_rows
from catalog.forms.posting import posted, show_refusal
from catalog.models import Model
from portal.people.access import requires
from portal.people.audit import actor_of
from portal.people.models import Team

PER_PAGE = 50


@requires("catalog.manage")
def admin_model_list(request: HttpRequest) -> HttpResponse:
    stages = [stage for stage in request.GET.getlist("stage") if stage in Model.Stage.values]
    rows = priced(Model.objects.matching(request.GET.get("q", "").replace("\0", "")))
    rows = rows.filter(stage__in=stages) if stages else rows
    ordered = rows.order_by(*order_of(request.GET.get("sort", "")), "slug")
    page = Paginator(ordered, PER_PAGE).get_page(request.GET.get("page"))
    connected = connected_model_ids([model.pk for model in page.object_list])
    return render(request, "catalog/admin_model_list.html", {"page": page, "connected": connected})


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def admin_model_add(request: HttpRequest) -> HttpResponse:
    form, places = ModelForm(posted(request)), DeploymentFormSet(posted(request), prefix="at")
    if form.is_valid() and places.is_valid():
        try:
            with transaction.atomic():
                model = create_model(actor=actor_of(request), **form.cleaned_data)
                set_deployments(actor=actor_of(request), model=model, deployments=wanted_rows(places))
            messages.success(
                request, f"{model.display_name} is added. It can be called once it has a price and a team."
            )
            return redirect("catalog-price-add", model.pk)
        except ValidationError as refused:
            show_refusal(form, refused)
    wrong = form.is_bound and (bool(form.errors) or not places.is_valid())
    return render(
        request, "catalog/admin_model_add.html", {"form": form, "places": places}, status=422 if wrong else 200
    )


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def admin_model_edit(request: HttpRequest, model_id: str) -> HttpResponse:
    model = get_object_or_404(Model, pk=model_id)
    form = ModelForm(posted(request), model=model)
    places = DeploymentFormSet(
        posted(request), prefix="at", initial=None if request.method == "POST" else first_rows(model)
    )
    if form.is_valid() and places.is_valid():
        try:
            with transaction.atomic():
                change_model(actor=actor_of(request), model=model, **form.cleaned_data)
                set_deployments(actor=actor_of(request), model=model, deployments=wanted_rows(places))
            messages.success(request, "Saved. Gateways follow within a second.")
            return redirect("catalog-admin-model-edit", model.pk)
        except ValidationError as refused:
            show_refusal(form, refused)
    wrong = form.is_bound and (bool(form.errors) or not places.is_valid())
    teams = Paginator(Team.objects.filter(team_models__model=model), PER_PAGE).get_page(request.GET.get("page"))
    context = {"model": model, "form": form, "places": places, "teams": teams, "team_form": TeamAccessForm()}
    return render(request, "catalog/admin_model_edit.html", context, status=422 if wrong else 200)


@requires("catalog.manage")
@require_POST
def admin_model_team(request: HttpRequest, model_id: str) -> HttpResponse:
    """Let a team use the model (`add`), or no longer (`remove`)."""
    model = get_object_or_404(Model, pk=model_id)
    form = TeamAccessForm(request.POST)
    if form.is_valid():
        team = form.cleaned_data["team"]
        adding = "remove" not in request.POST
        (add_team_model if adding else remove_team_model)(actor=actor_of(request), team=team, model=model)
        messages.success(request, f"{team} {'may use' if adding else 'may no longer use'} {model}.")
    else:
        messages.error(request, "There is no team of this short name. Look it up on the page of teams.")
    return redirect("catalog-admin-model-edit", model.pk)


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def admin_model_retire(request: HttpRequest, model_id: str) -> HttpResponse:
    model = get_object_or_404(Model, pk=model_id)
    if request.method == "POST":
        retire_model(actor=actor_of(request), model=model)
        successor = route_of(model).redirect
        then = f"go on to {successor.to}, if their key may use it," if successor else "are refused"
        messages.success(request, f"{model} is retired. Calls to it {then} within a second.")
        return redirect("catalog-admin-model-list")
    impact = import_string(settings.MODEL_FACTS["impact"])(model)
    context = {"model": model, "impact": impact, "redirect": route_of(model).redirect}
    return render(request, "catalog/admin_model_retire.html", context)


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def admin_model_impact(request: HttpRequest, model_id: str) -> HttpResponse:
    """Show who would miss the model; with POST, tell the owners of the keys that call it."""
    model = get_object_or_404(Model, pk=model_id)
    if request.method == "POST":
        told = import_string(settings.MODEL_FACTS["tell_owners"])(actor=actor_of(request), model=model)
        messages.success(request, f"{told} owner{'' if told == 1 else 's'} can read it in the portal now.")
        return redirect("catalog-admin-model-impact", model.pk)
    impact = import_string(settings.MODEL_FACTS["impact"])(model)
    return render(request, "catalog/admin_model_impact.html", {"model": model, "impact": impact})
