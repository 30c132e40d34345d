"""Pages of requests by the last one seen (keyset): the thousandth page costs as much as the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from billing.models import UsageEvent
from billing.moments import rfc3339

PER_PAGE = 50
ORDER = ("at", "request_id", "attempt")


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, newest first, and the cursors of its neighbours ("" where there is none)."""

    rows: list[UsageEvent]
    newer: str
    older: str


def slice_of(events: QuerySet[UsageEvent], query: Mapping[str, str], size: int = PER_PAGE) -> Slice:
    """Cut the page that `query` asks for: before=CURSOR (older) or after=CURSOR (newer). A broken cursor shows the newest."""
    before, after = _read(query.get("before", "")), _read(query.get("after", ""))
    if after and not before:
        found = list(events.filter(_beyond(after, "gt")).order_by(*ORDER)[: size + 1])
        if len(found) > size:
            rows = found[:size][::-1]
            return Slice(rows, cursor(rows[0]), cursor(rows[-1]))
        before = None  # the newest page, filled up
    beyond = events.filter(_beyond(before, "lt")) if before else events
    found = list(beyond.order_by(*(f"-{name}" for name in ORDER))[: size + 1])
    rows = found[:size]
    older = cursor(rows[-1]) if len(found) > size else ""
    return Slice(rows, cursor(rows[0]) if before and rows else "", older)


def cursor(event: UsageEvent) -> str:
    return f"{rfc3339(event.at)}~{event.request_id}~{event.attempt}"


def _read(text: str) -> tuple[datetime, str, int] | None:
    moment, _, rest = text.partition("~")
    request_id, _, attempt = rest.rpartition("~")
    try:
        at = datetime.fromisoformat(moment)
        number = int(attempt)
    except ValueError:
        return None
    return (at, request_id, number) if at.tzinfo and 0 <= number < 2**15 and "\0" not in request_id else None


def _beyond(place: tuple[datetime, str, int], side: str) -> Q:
    """Return what lies beyond `place`: written so that the index on `at` begins the search."""
    at, request_id, attempt = place
    tie = Q(**{f"request_id__{side}": request_id}) | Q(request_id=request_id, **{f"attempt__{side}": attempt})
    return Q(**{f"at__{side}e": at}) & (Q(**{f"at__{side}": at}) | tie)
