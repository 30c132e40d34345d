"""The auditor's pages: who did what, one event in full, and the whole trail as a file."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from portal.people.access import current_viewer, requires
from portal.people.forms.audit import AuditFilter
from portal.people.models import AuditEvent, Team
from portal.people.models.audit import AuditQuerySet
from portal.people.streaming import csv_lines, json_lines, streamed

PER_PAGE = 50
FIELDS = (
    "id", "at", "event", "actor_id", "actor_label", "target_kind", "target_id", "target_label", "team_id", "before", "after",
    "address", "revision",
)  # fmt: skip


@requires("audit.view")
@require_safe
def audit_list(request: HttpRequest) -> HttpResponse:
    form = AuditFilter(request.GET)
    rows = form.narrowed(AuditEvent.objects.visible_to(current_viewer(request)))
    events, newer, older = window(rows, request.GET.get("before", ""), request.GET.get("after", ""))
    given = {name: request.GET.get(name, "") for name in request.GET if name not in {"before", "after"}}
    context = {
        "form": form, "events": events, "filters": urlencode(given), "teams": names_of(event.team_id for event in events),
        "newer": f"?{urlencode(given | {'after': newer})}" if newer else "",
        "older": f"?{urlencode(given | {'before': older})}" if older else "",
    }  # fmt: skip
    return render(request, "people/audit_list.html", context)


def window(rows: AuditQuerySet, before: str, after: str) -> tuple[list[AuditEvent], str, str]:
    """Return one page of `rows`, newest first, and the ids to go on from: towards newer and towards older ones."""
    at = AuditEvent.objects.filter(pk=before or after).first()
    if at and after:
        found = list(rows.newer_than(at).order_by("at", "id")[: PER_PAGE + 1])
        events = found[:PER_PAGE][::-1]
        return events, events[0].pk if len(found) > PER_PAGE else "", at.pk if not events else events[-1].pk
    found = list((rows.older_than(at) if at else rows).order_by("-at", "-id")[: PER_PAGE + 1])
    events = found[:PER_PAGE]
    return events, events[0].pk if at and events else "", events[-1].pk if len(found) > PER_PAGE else ""


def names_of(team_ids: Iterable[str]) -> dict[str, str]:
    return dict(Team.objects.filter(pk__in={team_id for team_id in team_ids if team_id}).values_list("pk", "name"))


@requires("audit.view")
@require_safe
def audit_detail(request: HttpRequest, event_id: str) -> HttpResponse:
    event = get_object_or_404(AuditEvent.objects.visible_to(current_viewer(request)), pk=event_id)
    names = sorted(event.before.keys() | event.after.keys())
    changes = [{"name": name, "before": event.before.get(name), "after": event.after.get(name)} for name in names]
    team = Team.objects.filter(pk=event.team_id).first() if event.team_id else None
    return render(request, "people/audit_detail.html", {"event": event, "changes": changes, "team": team})


@requires("audit.view")
@require_safe
def audit_export(request: HttpRequest) -> HttpResponseBase:
    rows = AuditFilter(request.GET).narrowed(AuditEvent.objects.visible_to(current_viewer(request)))
    if request.GET.get("format") == "jsonl":
        return streamed(request, json_lines(in_order(rows)), name="audit.jsonl", content_type="application/x-ndjson")
    lines = csv_lines(FIELDS, (map(written, row.values()) for row in in_order(rows)))
    return streamed(request, lines, name="audit.csv", content_type="text/csv; charset=utf-8")


def in_order(rows: AuditQuerySet) -> Iterator[dict[str, Any]]:
    """Yield every row, newest first, a page at a time."""
    at: AuditEvent | None = None
    while True:
        page = list((rows.older_than(at) if at else rows).order_by("-at", "-id")[:500])
        for event in page:
            yield {name: value(event, name) for name in FIELDS}
        if len(page) < 500:
            return
        at = page[-1]


def written(held: Any) -> Any:
    return json.dumps(held, ensure_ascii=False, sort_keys=True) if isinstance(held, dict) else held


def value(event: AuditEvent, name: str) -> Any:
    held = getattr(event, name)
    return held.isoformat() if name == "at" else held
