"""Mint a key, show its secret once, and wait for its first call."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from portal.keys.actions.keys import mint_key
from portal.keys.forms.mint import MintForm, first_values
from portal.keys.forms.refused import show_refusal
from portal.keys.models import Key, KeySecret
from portal.keys.offers import limits_in_words, offers_to, teams_of
from portal.keys.refusal import Refused
from portal.keys.reveal import revealed
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of


@requires("keys.own")
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
def mint(request: HttpRequest) -> HttpResponse:
    """One form. The answer to its POST is the only page that ever shows the secret."""
    viewer = current_viewer(request)
    teams = teams_of(viewer)
    offers = offers_to(viewer, teams)
    slug = request.GET.get("model", "")
    first, may_lower = first_values(viewer.user, teams, slug), viewer.allows("catalog.manage")
    form = MintForm(request.POST or None, teams=teams, offers=offers, may_lower=may_lower, initial=first)
    if form.is_valid():
        try:
            key, secret = mint_key(actor=actor_of(request), owner=viewer.user, **form.wanted())
            return revealed(request, key, secret, model=slug)
        except Refused as refused:
            show_refusal(form, refused)
    limits = [(team, limits_in_words(team)) for team in teams]
    missing = bool(slug) and slug not in {offer.model.slug for offer in offers}
    context = {"form": form, "teams": teams, "offers": offers, "limits": limits, "missing": slug if missing else ""}
    return render(request, "keys/key_mint.html", context, status=422 if form.errors else 200)


@requires("keys.own")
@never_cache
@require_GET
def live(request: HttpRequest, key_id: str) -> HttpResponse:
    """Say whether the first call arrived: of the key, or of a secret that was just claimed."""
    key = get_object_or_404(Key.objects.visible_to(current_viewer(request)), pk=key_id)
    return render(request, "keys/key_live.html", {"key": key, "seen": seen(key), "live_url": request.path})


def seen(key: Key) -> bool:
    """Say whether the key was used with its newest secret."""
    newest, *older = key.secrets.order_by("-created_at")[:2]
    if key.last_used_at is None or newest.status == KeySecret.Status.PENDING:
        return False
    return not older or key.last_used_at >= newest.created_at
