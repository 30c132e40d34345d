"""Make a key smaller."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from gateway.money import format_usd
from portal.keys.actions.narrowing import limits_of, narrow_key
from portal.keys.forms.narrow import NarrowForm
from portal.keys.forms.refused import show_refusal
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.keys.sheet import callable_models
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of


@requires("keys.own")
@require_http_methods(["GET", "POST"])
def narrow(request: HttpRequest, key_id: str) -> HttpResponse:
    """Show what the key has; take away what is not wanted."""
    viewer = current_viewer(request)
    manageable = Key.objects.manageable_by(viewer).select_related("owner", "team", "application")
    key = get_object_or_404(manageable, pk=key_id)
    models = callable_models(key)
    first = present(key, [model.slug for model in models])
    lower = viewer.allows("catalog.manage")
    form = NarrowForm(request.POST or None, key=key, models=models, may_lower=lower, initial=first)
    if form.is_valid():
        try:
            changed = narrow_key(actor=actor_of(request), key=key, **form.wanted())
            messages.success(request, f"“{key.name}” is narrower now." if changed else "Nothing was changed.")
            return redirect("keys-key-detail", key_id=key.pk)
        except Refused as refused:
            show_refusal(form, refused)
    return render(request, "keys/key_narrow.html", {"key": key, "form": form}, status=422 if form.errors else 200)


def present(key: Key, models: list[str]) -> dict[str, object]:
    """Return what the form begins with."""
    limits = {(quota.metric, quota.window): quota.capacity for quota in limits_of(key)}
    usd, requests = limits.get(("usd", "month")), limits.get(("requests", "minute"))
    return {
        "models": models,
        "ends": key.expires_at.date(),
        "data_class": key.data_class,
        "usd_month": "" if usd is None else format_usd(usd),
        "requests_minute": "" if requests is None else str(requests),
    }
