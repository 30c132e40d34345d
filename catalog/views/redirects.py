"""The page on which the calls of a model that is to go are sent to another one, and on which that is watched."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods

from catalog.actions.redirects import set_redirect
from catalog.actions.routes import route_of
from catalog.forms.posting import posted
from catalog.forms.redirects import RedirectForms
from catalog.models import Model
from catalog.routes import RedirectBody
from portal.people.access import requires
from portal.people.audit import actor_of


@requires("catalog.manage")
@require_http_methods(["GET", "POST"])
def redirect_edit(request: HttpRequest, model_id: str) -> HttpResponse:
    """Set the redirect of a model; with `end` posted, take it away."""
    model = get_object_or_404(Model, pk=model_id)
    if request.method == "POST" and "end" in request.POST:
        set_redirect(actor=actor_of(request), model=model, redirect=None)
        messages.success(request, f"The calls of {model} stay with it. Gateways follow within a second.")
        return redirect("catalog-redirect-edit", model.pk)
    standing = route_of(model).redirect
    forms = RedirectForms(posted(request), model=model, redirect=standing)
    if forms.main.is_bound and forms.is_valid():
        try:
            set_redirect(actor=actor_of(request), model=model, redirect=forms.body())
            messages.success(request, "Saved. Gateways follow within a second.")
            return redirect("catalog-redirect-edit", model.pk)
        except ValidationError as refused:
            forms.refuse(refused.message_dict if hasattr(refused, "error_dict") else {"": refused.messages})
    context = {"model": model, "forms": forms, **_progress(model, standing)}
    return render(request, "catalog/redirect_edit.html", context, status=422 if forms.is_wrong() else 200)


def _progress(model: Model, standing: RedirectBody | None) -> dict[str, Any]:
    """Return what stands now: the successor, the share of the calls that it is to have, and what the last day says."""
    successor = Model.objects.filter(slug=standing.to).first() if standing is not None else None
    if standing is None or successor is None:
        return {"standing": None}
    today = timezone.now().date()
    begun = [step.percent for step in standing.steps if step.starts <= today]
    gone = model.stage == Model.Stage.RETIRED or (model.retires_on is not None and model.retires_on <= today)
    return {
        "standing": standing,
        "successor": successor,
        "share": 100.0 if gone else begun[-1] if begun else 0.0,
        "coming": [step for step in standing.steps if step.starts > today],
        "traffic": import_string(settings.MODEL_FACTS["redirected"])(model.pk, successor.pk),
    }
