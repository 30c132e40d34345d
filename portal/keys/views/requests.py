"""Asking for an exception, and following what one asked for."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from billing.labels import labels
from billing.models import Quota
from billing.remaining import is_hidden
from catalog.connection import connections
from catalog.models import Model
from portal.keys.actions.requests import ask, edit, granted_words, wish, withdraw
from portal.keys.forms.refused import show_refusal
from portal.keys.forms.request import AskForm, EditForm, present_values
from portal.keys.models import KeyRequest
from portal.keys.prefill import models_open_already, open_limits, read_prefill
from portal.keys.refusal import Refused
from portal.keys.rules import in_words, window_words
from portal.people.access import Viewer, current_viewer, requires
from portal.people.audit import actor_of

PER_PAGE = 50


@requires("requests.own")
@require_GET
def request_list(request: HttpRequest) -> HttpResponse:
    """What one asked for; admins and auditors may also look at everything."""
    viewer = current_viewer(request)
    sees_all = viewer.allows("requests.decide_all") or viewer.allows("keys.view_all")
    whole = sees_all and request.GET.get("whose") == "all"
    rows = KeyRequest.objects.visible_to(viewer) if whole else KeyRequest.objects.filter(requester=viewer.user)
    page = Paginator(rows.for_list(), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [(row, wish(row)) for row in page], "sees_all": sees_all, "whole": whole}
    return render(request, "keys/request_list.html", context)


@requires("requests.own")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form, filled in from the link that led here: a refusal, a model, a key."""
    viewer = current_viewer(request)
    prefill = read_prefill(request.GET, viewer)
    initial = {
        "team": prefill.teams[0].pk if prefill.teams else "",
        "model": prefill.model.slug if prefill.model else "",
    }
    open_already = models_open_already(viewer, prefill)
    served = Model.objects.listed().filter(pk__in=connections().values("model_id"))
    models = [model for model in served if model == prefill.model or model.pk not in open_already]
    form = AskForm(
        request.POST or None,
        kind=prefill.kind,
        teams=prefill.teams,
        models=models,
        quota=prefill.quota,
        initial=initial,
    )
    if form.is_valid():
        try:
            asked = ask(
                actor=actor_of(request), key=prefill.key, quota=prefill.quota,
                refused_request_id=prefill.refused_request_id, **form.wanted(),
            )  # fmt: skip
            messages.success(request, "Your request is on its way. You will be told here when somebody decides.")
            return redirect("keys-request-detail", request_id=asked.pk)
        except Refused as refused:
            show_refusal(form, refused)
    limits = [] if prefill.quota else open_limits(viewer, prefill)
    context = {
        "form": form,
        "asked_for": prefill,
        "limit": limit_words(prefill.quota, viewer) if prefill.quota else "",
        "limits": [(quota, f"{limit_words(quota, viewer)} ({whose})") for quota, whose in limits],
        "is_money": prefill.quota is not None and prefill.quota.metric == "usd",
    }
    return render(request, "keys/request_new.html", context, status=422 if form.errors else 200)


def limit_words(quota: Quota, viewer: Viewer) -> str:
    if is_hidden(quota, viewer):
        return f"A budget of the whole company, {window_words(quota.window)}"
    words = f"{in_words(quota.metric, quota.capacity)} {window_words(quota.window)}"
    return (
        f"{words} with {labels('model', [quota.model_id]).get(quota.model_id, 'one model')}"
        if quota.model_id
        else words
    )


@requires("requests.own")
@require_GET
def request_detail(request: HttpRequest, request_id: str) -> HttpResponse:
    """One request, its state and the decision."""
    viewer = current_viewer(request)
    row = get_object_or_404(KeyRequest.objects.visible_to(viewer).for_list(), pk=request_id)
    own = row.requester_id == viewer.user.pk
    may_decide = KeyRequest.objects.decidable_by(viewer).open().filter(pk=row.pk).exists()
    context = {
        "asked": row,
        "wish": wish(row),
        "granted": granted_words(row),
        "may_edit": own and row.status == KeyRequest.Status.OPEN,
        "may_decide": may_decide,
        "may_end": KeyRequest.objects.decidable_by(viewer).in_force().filter(pk=row.pk).exists(),
    }
    return render(request, "keys/request_detail.html", context)


@requires("requests.own")
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, request_id: str) -> HttpResponse:
    """Edit one's own request while nobody has decided."""
    row = get_object_or_404(KeyRequest.objects.filter(requester=current_viewer(request).user).for_list(), pk=request_id)
    form = EditForm(request.POST or None, request=row, initial=present_values(row))
    if form.is_valid():
        try:
            edit(actor=actor_of(request), request=row, **form.wanted())
            messages.success(request, "Your request was changed.")
            return redirect("keys-request-detail", request_id=row.pk)
        except Refused as refused:
            show_refusal(form, refused)
    return render(
        request,
        "keys/request_edit.html",
        {"asked": row, "wish": wish(row), "form": form},
        status=422 if form.errors else 200,
    )


@requires("requests.own")
@require_http_methods(["GET", "POST"])
def take_back(request: HttpRequest, request_id: str) -> HttpResponse:
    """Ask, then withdraw."""
    row = get_object_or_404(KeyRequest.objects.filter(requester=current_viewer(request).user).for_list(), pk=request_id)
    if request.method != "POST":
        return render(request, "keys/request_withdraw.html", {"asked": row, "wish": wish(row)})
    try:
        withdraw(actor=actor_of(request), request=row)
        messages.success(request, "Your request was withdrawn.")
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("keys-request-detail", request_id=row.pk)
