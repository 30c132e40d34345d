"""Claim a new secret, replace one at once, or ask an owner to."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from portal.keys.actions.rotation import ask_rotation, claim_secret, rotate_now
from portal.keys.forms.refused import show_refusal
from portal.keys.forms.rotate import DeadlineForm, RotateForm
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.keys.reveal import revealed
from portal.keys.sheet import secrets_of
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of
from portal.people.identity.fresh import requires_fresh_sign_in


@requires("keys.own")
@requires_fresh_sign_in
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
def rotate(request: HttpRequest, key_id: str) -> HttpResponse:
    """Give the owner, who has just proven who they are, a new secret; the answer to the POST alone shows it."""
    viewer = current_viewer(request)
    key = get_object_or_404(Key.objects.filter(owner=viewer.user).select_related("owner", "team"), pk=key_id)
    form = RotateForm(request.POST or None)
    if form.is_valid():
        at_once = form.cleaned_data["when"] == "now"
        try:
            secret = (rotate_now if at_once else claim_secret)(actor=actor_of(request), key=key)
            return revealed(request, key, secret, rotated=True, at_once=at_once)
        except Refused as refused:
            show_refusal(form, refused)
    context = {"key": key, "form": form, "secrets": secrets_of(key)}
    return render(request, "keys/key_rotate.html", context, status=422 if form.errors else 200)


@requires("keys.own")
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ask the owner for a new secret, with a deadline or without."""
    key = get_object_or_404(Key.objects.manageable_by(current_viewer(request)).select_related("owner"), pk=key_id)
    form = DeadlineForm(request.POST or None)
    if form.is_valid():
        try:
            ask_rotation(actor=actor_of(request), key=key, deadline=form.moment())
            messages.success(request, f"{key.owner} is asked to claim a new secret for “{key.name}”.")
            return redirect("keys-key-detail", key_id=key.pk)
        except Refused as refused:
            show_refusal(form, refused)
    return render(request, "keys/key_ask_rotation.html", {"key": key, "form": form}, status=422 if form.errors else 200)
