"""The inbox of whoever decides on exceptions."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from portal.keys.actions.decisions import approve, deny, end_exception
from portal.keys.actions.requests import wish
from portal.keys.deciding import objection
from portal.keys.dossier import dossier_of
from portal.keys.forms.refused import show_refusal
from portal.keys.forms.request import DecideForm, present_values
from portal.keys.models import KeyRequest
from portal.keys.refusal import Refused
from portal.people.access import current_viewer, requires
from portal.people.audit import actor_of

PER_PAGE = 50


@requires("requests.inbox")
@require_GET
def inbox_list(request: HttpRequest) -> HttpResponse:
    """What waits for a decision of this person, the oldest first; with `state=decided` what was decided."""
    decided = request.GET.get("state") == "decided"
    rows = KeyRequest.objects.decidable_by(current_viewer(request)).for_list()
    rows = rows.exclude(status=KeyRequest.Status.OPEN) if decided else rows.open().order_by("created_at")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request, "keys/inbox_list.html", {"page": page, "rows": [(row, wish(row)) for row in page], "decided": decided}
    )


@requires("requests.inbox")
@require_http_methods(["GET", "POST"])
def decide(request: HttpRequest, request_id: str) -> HttpResponse:
    """Everything needed to decide, and the decision."""
    viewer = current_viewer(request)
    row = get_object_or_404(KeyRequest.objects.decidable_by(viewer).for_list(), pk=request_id)
    form = DecideForm(request.POST or None, request=row, initial=present_values(row))
    if form.is_valid():
        try:
            settle(request, row, form)
            return redirect("keys-inbox-list")
        except Refused as refused:
            show_refusal(form, refused)
    context = {
        "asked": row,
        "wish": wish(row),
        "form": form,
        "dossier": dossier_of(row, viewer),
        "objection": objection(viewer, row, row.amount),
        "is_money": row.metric == "usd",
    }
    return render(request, "keys/inbox_decide.html", context, status=422 if form.errors else 200)


def settle(request: HttpRequest, row: KeyRequest, form: DecideForm) -> None:
    """Carry out what the form says, and say so."""
    actor, wanted = actor_of(request), form.wanted()
    if form.approves():
        approve(actor=actor, request=row, **wanted)
        messages.success(request, f"Approved. It works within a second, and {row.requester} is told.")
    else:
        deny(actor=actor, request=row, version=wanted["version"], words=wanted["words"])
        messages.success(request, f"Denied. {row.requester} is told why.")


@requires("requests.inbox")
@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, request_id: str) -> HttpResponse:
    """Ask, then end an exception before its date."""
    granted = KeyRequest.objects.decidable_by(current_viewer(request)).in_force()
    row = get_object_or_404(granted.for_list(), pk=request_id)
    if request.method != "POST":
        return render(request, "keys/request_end.html", {"asked": row, "wish": wish(row)})
    try:
        end_exception(actor=actor_of(request), approval=row.decision)
        messages.success(request, "The exception has ended.")
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("keys-request-detail", request_id=row.pk)
