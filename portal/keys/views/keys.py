"""The list of keys, and one key."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from billing.standing import limits_of
from gateway.keyformat import PATTERN
from portal.keys import sheet
from portal.keys.actions.secrets import SHOWN
from portal.keys.forms.search import SearchForm
from portal.keys.models import Key
from portal.keys.reveal import example_model, snippets_of
from portal.keys.rules import floor_of
from portal.people.access import current_viewer, requires

PER_PAGE = 50


@requires("keys.own")
@require_GET
def key_list(request: HttpRequest) -> HttpResponse:
    """Own keys; with `whose=all` every key that this person may look at.

    Who pastes a whole secret finds its key by its beginning: the secret goes into no page and no further link.
    """
    words = request.GET.get("q", "").strip()
    if PATTERN.match(words):
        return redirect(f"{request.path}?{urlencode({'q': words[:SHOWN], 'whose': request.GET.get('whose', '')})}")
    viewer = current_viewer(request)
    form = SearchForm(
        request.GET,
        sees_others=bool(viewer.led_team_ids) or viewer.allows("keys.view_all") or viewer.allows("keys.all"),
    )
    now = timezone.now()
    keys = form.found(Key.objects.visible_to(viewer), viewer, now).for_list()
    page = Paginator(keys, PER_PAGE).get_page(request.GET.get("page"))
    rows = [(key, key.state(now)) for key in page]
    any_yet = bool(rows) or Key.objects.filter(owner=viewer.user).exists()
    return render(request, "keys/key_list.html", {"form": form, "page": page, "rows": rows, "any_yet": any_yet})


@requires("keys.own")
@require_GET
def key_detail(request: HttpRequest, key_id: str) -> HttpResponse:
    """What the key may do, what is left, who did what with it."""
    viewer = current_viewer(request)
    key = get_object_or_404(Key.objects.visible_to(viewer).select_related("owner", "team", "application"), pk=key_id)
    state = key.state(timezone.now())
    example = example_model(key, request.GET.get("model", "")) if state == "active" else None
    context = {
        "key": key,
        "state": state,
        "example": example,
        "floor": floor_of(key),
        "snippets": snippets_of(example) if example else [],
        "may": sheet.choices_of(viewer, key),
        "models": sheet.callable_models(key),
        "limits": limits_of(sheet.scopes_of(key), viewer),
        "secrets": sheet.secrets_of(key),
        "month": sheet.spent_this_month(key),
        "usage_url": sheet.usage_address(key),
        "history": sheet.history_of(key),
    }
    return render(request, "keys/key_detail.html", context)
