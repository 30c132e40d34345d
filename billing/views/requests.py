"""The requests behind every figure, and one request in full."""

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from billing import export, paging
from billing.asking import asked_for
from billing.forms.filters import FilterForm, chips
from billing.models import UsageEvent
from billing.periods import PRESETS
from billing.requests import attempts, named, path, slug_of
from billing.rollup import data_until
from billing.spend import events, tally
from billing.views.spend import CSV
from portal.people.access import current_viewer, requires
from portal.people.streaming import csv_lines, streamed

LISTED = ("team", "user", "key", "model")
IN_FULL = 50  # attempts of one request; a session may have thousands


@requires("usage.own")
def usage_list(request: HttpRequest) -> HttpResponse:
    """What the viewer may see of the asked requests, newest first."""
    viewer = current_viewer(request)
    asked = asked_for(request.GET.dict(), viewer)
    calls, cost = tally(viewer, asked.filters)
    shown = paging.slice_of(events(viewer, asked.filters), request.GET.dict())
    wide = viewer.allows("usage.all")
    wanted = ["model", "status"] + (["team", "provider", "user"] if wide else ["user"] if viewer.led_team_ids else [])
    context = {
        "asked": asked,
        "form": FilterForm(asked, viewer, wanted),
        "chips": chips(asked, request.path, viewer),
        "requests": named(shown.rows, LISTED),
        "newer": f"?{asked.query(after=shown.newer, group='', interval='')}" if shown.newer else "",
        "older": f"?{asked.query(before=shown.older, group='', interval='')}" if shown.older else "",
        "calls": calls,
        "cost": cost,
        "data_until": data_until(),
        "presets": PRESETS,
        "fixed": {},
        "others": wide or bool(viewer.led_team_ids),
    }
    return render(request, "billing/usage_list.html", context)


@requires("usage.own")
def usage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The same requests as a file, oldest first."""
    viewer = current_viewer(request)
    asked = asked_for(request.GET.dict(), viewer)
    rows = export.rows_of(events(viewer, asked.filters))
    return streamed(request, csv_lines(export.COLUMNS, export.plain(rows)), name="requests.csv", content_type=CSV)


@requires("usage.own")
def usage_detail(request: HttpRequest, request_id: str) -> HttpResponse:
    """One request: each attempt, what it used, and how its cost came about."""
    rows = UsageEvent.objects.filter(request_id=request_id).visible_to(current_viewer(request)).order_by("attempt")
    found = attempts(list(rows))
    if not found:
        raise Http404("no such request")
    model_slug = slug_of(found[-1].request.event.model_id)
    context = {"request_id": request_id, "attempts": found[-IN_FULL:], "path": path(found), "model_slug": model_slug}
    context["earlier"] = found[:-IN_FULL]
    return render(request, "billing/usage_detail.html", context)
