"""Revoke, block and unblock a key, each after a question."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from portal.keys.actions.keys import block_key, revoke_key, unblock_key
from portal.keys.forms.reason import ReasonForm
from portal.keys.forms.refused import show_refusal
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of


@requires("keys.own")
@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ask, then revoke."""
    key = get_object_or_404(Key.objects.manageable_by(current_viewer(request)), pk=key_id)
    if request.method != "POST":
        return render(request, "keys/key_revoke.html", {"key": key})
    if revoke_key(actor=actor_of(request), key=key):
        messages.success(request, f"“{key.name}” is revoked. Calls with it are refused from now on.")
    else:
        messages.info(request, f"“{key.name}” was revoked before.")
    return redirect("keys-key-detail", key_id=key.pk)


@requires("keys.own")
@require_http_methods(["GET", "POST"])
def block(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ask for a reason, then block."""
    key = get_object_or_404(Key.objects.stoppable_by(current_viewer(request)), pk=key_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        try:
            block_key(actor=actor_of(request), key=key, reason=form.cleaned_data["reason"])
            messages.success(request, f"“{key.name}” is blocked until somebody unblocks it.")
            return redirect("keys-key-detail", key_id=key.pk)
        except Refused as refused:
            show_refusal(form, refused)
    return render(request, "keys/key_block.html", {"key": key, "form": form}, status=422 if form.errors else 200)


@requires("keys.own")
@require_http_methods(["GET", "POST"])
def unblock(request: HttpRequest, key_id: str) -> HttpResponse:
    """Ask, then unblock."""
    key = get_object_or_404(Key.objects.stoppable_by(current_viewer(request)), pk=key_id)
    if request.method != "POST":
        return render(request, "keys/key_unblock.html", {"key": key})
    try:
        unblock_key(actor=actor_of(request), key=key)
        messages.success(request, f"“{key.name}” works again.")
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("keys-key-detail", key_id=key.pk)
