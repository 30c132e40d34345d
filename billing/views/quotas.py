"""Budgets and limits: what holds, what is left, and changing it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from billing.actions.quotas import add_extra, end_extra, remove_quota, set_quota, team_of
from billing.authority import may_change_each, may_remove
from billing.forms.quotas import AmountForm, ExtraForm, QuotaForm
from billing.labels import labels
from billing.models import Quota, QuotaExtra
from billing.quota_rules import QuotaError
from billing.remaining import standing_of
from billing.standing import named
from catalog.models import Model, TeamModel
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of
from portal.people.models import Application, Team, User

PER_PAGE = 50
IN_ORDER = Case(*(When(scope_kind=kind, then=Value(n)) for n, kind in enumerate(Quota.Scope.values)), default=Value(9))


@requires("usage.own")
def quota_list(request: HttpRequest) -> HttpResponse:
    """Every limit that the viewer may see, and how much of it is left."""
    viewer = current_viewer(request)
    kind, words = request.GET.get("kind", ""), request.GET.get("q", "").replace("\0", "").strip()
    quotas = Quota.objects.visible_to(viewer).order_by(IN_ORDER, "scope_id", "-metric", "model_id", "id")  # money first
    quotas = quotas.filter(scope_kind=kind) if kind in Quota.Scope.values else quotas
    page = Paginator(matching(quotas, words), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "limits": named(standing_of(list(page.object_list), viewer), viewer),
        "kinds": Quota.Scope.choices,
        "kind": kind,
        "may_set": viewer.allows("quotas.set"),
    }
    return render(request, "billing/quota_list.html", context)


@requires("quotas.set")
def quota_add(request: HttpRequest) -> HttpResponse:
    """A new limit; naming one that exists changes it."""
    names = ("scope_kind", "scope", "model", "metric", "window")
    initial = {name: request.GET[name] for name in names if name in request.GET}
    form = QuotaForm(request.POST or None, initial=initial, viewer=current_viewer(request))
    if request.method == "POST" and form.is_valid():
        quota = attempt(form, set_quota, actor=actor_of(request), **form.wanted())
        if quota is not None:
            messages.success(request, "The limit holds from now on.")
            return redirect("billing-quota-edit", quota_id=quota.pk)
    return render(request, "billing/quota_add.html", {"form": form}, status=422 if form.errors else 200)


@requires("quotas.set")
def quota_edit(request: HttpRequest, quota_id: str) -> HttpResponse:
    """Change how much, who is told and what happens then; what is spent and the window stay."""
    viewer, quota = current_viewer(request), own_or_404(request, quota_id)
    manages = viewer.allows("quotas.manage")
    form = AmountForm(request.POST or None, quota=quota, may_rule=manages or quota.by_lead)
    if request.method == "POST" and form.is_valid():
        place = {name: getattr(quota, name) for name in ("scope_kind", "scope_id", "model_id", "metric", "window")}
        if attempt(form, set_quota, actor=actor_of(request), **place, **form.wanted()) is not None:
            messages.success(request, "Changed. Gateways follow within a second.")
            return redirect("billing-quota-list")
    context = {
        "form": form,
        "extras": quota.extras.in_force(timezone.now()).order_by("until"),
        "standing": named(standing_of([quota], viewer), viewer)[0],
        "manages": manages,
        "may_remove": may_remove(viewer, quota),
        "in_vain": steps_in_vain(quota),
    }
    return render(request, "billing/quota_edit.html", context, status=422 if form.errors else 200)


@requires("quotas.set")
def quota_remove(request: HttpRequest, quota_id: str) -> HttpResponse:
    """Ask, then remove a limit."""
    quota = own_or_404(request, quota_id)
    if request.method == "POST":
        remove_quota(actor=actor_of(request), quota=quota)
        messages.success(request, "The limit is gone.")
        return redirect("billing-quota-list")
    name = labels(quota.scope_kind, [quota.scope_id]).get(quota.scope_id, quota.scope_id)
    return render(request, "billing/quota_remove.html", {"quota": quota, "name": name})


@requires("quotas.manage")
def extra_add(request: HttpRequest, quota_id: str) -> HttpResponse:
    """Add to a limit for a while."""
    quota = get_object_or_404(Quota, pk=quota_id)
    form = ExtraForm(request.POST or None, quota=quota)
    if request.method == "POST" and form.is_valid():
        amount, until = form.cleaned_data["amount"], form.cleaned_data["until"]
        if attempt(form, add_extra, actor=actor_of(request), quota=quota, amount=amount, until=until) is not None:
            messages.success(request, "Added. It ends by itself.")
            return redirect("billing-quota-edit", quota_id=quota.pk)
    viewer = current_viewer(request)
    context = {"form": form, "standing": named(standing_of([quota], viewer), viewer)[0]}
    return render(request, "billing/quota_extra.html", context, status=422 if form.errors else 200)


@requires("quotas.manage")
def extra_end(request: HttpRequest, extra_id: str) -> HttpResponse:
    """Ask, then end an extra before its time."""
    extra = get_object_or_404(QuotaExtra.objects.select_related("quota"), pk=extra_id)
    if request.method == "POST":
        end_extra(actor=actor_of(request), extra=extra)
        messages.success(request, "The extra has ended.")
        return redirect("billing-quota-edit", quota_id=extra.quota_id)
    return render(request, "billing/quota_extra_end.html", {"extra": extra})


def steps_in_vain(quota: Quota) -> bool:
    """Say whether calls would go on with a model that the scope's team may not use, so that they are refused all the same."""
    team_id = team_of(quota)
    if not team_id or not quota.step_down_model_id:
        return False
    return not TeamModel.objects.filter(team_id=team_id, model_id=quota.step_down_model_id).exists()


def own_or_404(request: HttpRequest, quota_id: str) -> Quota:
    """Return a quota that the viewer may change."""
    quota = get_object_or_404(Quota, pk=quota_id)
    if not may_change_each(current_viewer(request), [quota]):
        raise Http404
    return quota


def matching(quotas: QuerySet[Quota], words: str) -> QuerySet[Quota]:
    """Narrow to limits whose scope is called `words`, or whose key has that id."""
    if not words:
        return quotas
    found = {
        "team": Team.objects.filter(Q(name__icontains=words) | Q(slug__icontains=words)).values("id"),
        "user": User.objects.filter(Q(name__icontains=words) | Q(email__icontains=words)).values("id"),
        "application": Application.objects.filter(Q(name__icontains=words) | Q(slug__icontains=words)).values("id"),
        "model": Model.objects.matching(words).values("id"),
    }
    asked = Q(scope_id=words)
    for kind, ids in found.items():
        asked |= Q(scope_kind=kind, scope_id__in=ids)
    return quotas.filter(asked)


def attempt(form: Any, action: Any, **asked: Any) -> Any:
    """Run an action; what it refuses is said at the form, and None is returned."""
    try:
        return action(**asked)
    except (QuotaError, PermissionDenied) as error:
        form.add_error(None, str(error))
        return None
