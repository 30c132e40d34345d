"""Spend by page: one's own, a team's, everybody's."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render

from billing.asking import GROUPS, asked_for
from billing.forms.filters import FilterForm, chips
from billing.periods import PRESETS
from billing.report import report_of
from billing.rollup import data_until
from billing.sheet import HEAD, sheet
from billing.standing import limits_of
from portal.people.access import current_viewer, requires
from portal.people.models import Team
from portal.people.streaming import csv_lines, streamed

CSV = "text/csv; charset=utf-8"
MINE = {"model": "Model", "key": "Key"}
TEAMS = {"user": "Person", "model": "Model", "key": "Key", "application": "Application"}


def frame(request: HttpRequest, wanted: list[str], groups: dict[str, str], **fixed: str) -> dict[str, object]:
    """Return what every spend page shows; `fixed` filters hold whatever the address says."""
    viewer = current_viewer(request)
    query = request.GET.dict() | fixed
    asked = asked_for(query, viewer, group=next(iter(groups)), groups=groups)
    return {
        "asked": asked,
        "report": report_of(viewer, asked, query.get("page", "1"), request.path),
        "form": FilterForm(asked, viewer, wanted, groups),
        "chips": chips(asked, request.path, viewer),
        "presets": PRESETS,
        "data_until": data_until(),
        "fixed": {},
    }


@requires("spend.view")
def dashboard(request: HttpRequest) -> HttpResponse:
    """Everything: for finance, administrators and auditors."""
    wanted = ["team", "cost_centre", "model", "provider", "user", "key", "group", "interval"]
    return render(request, "billing/spend_dashboard.html", frame(request, wanted, GROUPS))


@requires("usage.own")
def mine(request: HttpRequest) -> HttpResponse:
    """One's own use, and the limits one works within."""
    viewer = current_viewer(request)
    context = frame(request, ["model", "group", "interval"], MINE, user=viewer.user.pk)
    keys = [line.id for line in context["report"].lines] if context["asked"].group == "key" else []  # type: ignore[attr-defined]
    scopes = [
        ("user", viewer.user.pk),
        *(("team", team) for team in sorted(viewer.team_ids)),
        *(("key", key) for key in keys),
        ("organisation", settings.ORGANISATION_ID),
    ]
    return render(request, "billing/usage_mine.html", context | {"limits": limits_of(scopes, viewer)})


@requires("usage.team")
def team(request: HttpRequest) -> HttpResponse:
    """One of the teams that the viewer leads: its budget, and where it goes."""
    viewer = current_viewer(request)
    led = Team.objects.led_by(viewer)
    asked = request.GET.get("team", "")
    chosen = get_object_or_404(led.filter(slug=asked) | led.filter(id=asked)) if asked else led.first()
    assert chosen is not None, "whoever may see a team's use leads one"  # noqa: S101  # narrows the type
    context = frame(request, ["model", "user", "group", "interval"], TEAMS, team=chosen.pk)
    limits = limits_of([("team", chosen.pk)], viewer)
    return render(
        request,
        "billing/spend_team.html",
        context | {"team": chosen, "teams": led, "limits": limits, "fixed": {"team": chosen.pk}},
    )


@requires("usage.own")
def spend_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The figures of a spend page as a file: one row for each bucket of time and value of the dimension."""
    viewer = current_viewer(request)
    asked = asked_for(request.GET.dict(), viewer)
    lines = csv_lines(HEAD, sheet(viewer, asked))
    return streamed(request, lines, name=f"spend-by-{asked.group}.csv", content_type=CSV)
