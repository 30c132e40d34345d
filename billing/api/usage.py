"""Usage and spend over REST: what the pages show, filtered and narrowed the same way; read only."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import export, paging
from billing.asking import GROUPS, INTERVALS, Asked, asked_for
from billing.filters import DIMENSIONS, NONE
from billing.labels import labels
from billing.moments import rfc3339
from billing.periods import PRESETS
from billing.rollup import data_until
from billing.spend import Figures, by_cost_centre, events, figures, source
from gateway.money import format_usd
from portal.people.access import Viewer, current_viewer

LIMIT, MOST = 100, 500
FILTERS = [
    OpenApiParameter("from", str, description="A day (billing time zone) or an RFC 3339 time."),
    OpenApiParameter("to", str, description="A day (included) or an RFC 3339 time (not included)."),
    OpenApiParameter("period", str, enum=list(PRESETS), description="Used where neither from nor to is given."),
    *(OpenApiParameter(name, str, description="A short name or an id; for a user an e-mail.") for name in DIMENSIONS),
    OpenApiParameter("cost_centre", str),
    OpenApiParameter("limit", int, description=f"At most {MOST}."),
]


class UsageOut(serializers.Serializer[Any]):
    request_id = serializers.CharField()
    time = serializers.DateTimeField()
    team = serializers.CharField()
    user = serializers.CharField()
    key = serializers.CharField()
    application = serializers.CharField()
    model = serializers.CharField()
    deployment = serializers.CharField()
    provider = serializers.CharField()
    status = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_nano_usd = serializers.IntegerField()
    latency_ms = serializers.IntegerField()
    ttft_ms = serializers.IntegerField()
    estimated = serializers.BooleanField()
    units = serializers.DictField(
        child=serializers.IntegerField(), help_text="What was used beside text tokens, such as images; {} for nothing."
    )


class UsagePage(serializers.Serializer[Any]):
    older = serializers.CharField(help_text="Pass it as `before` for the next page; empty at the end.")
    results = UsageOut(many=True)


class FiguresOut(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # a declared field leaves the property alone
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_usd = serializers.CharField(help_text="Exact, as a decimal.")


class SpendLine(FiguresOut):
    time = serializers.CharField(help_text="The day, month or hour; null where no interval was asked.", allow_null=True)
    id = serializers.CharField()
    name = serializers.CharField()


class SpendOut(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    data_until = serializers.DateTimeField(allow_null=True)
    total = FiguresOut()
    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    results = SpendLine(many=True)


class Pages(LimitOffsetPagination):
    default_limit, max_limit = LIMIT, MOST


class Reading(APIView):
    """A view that answers questions about usage. The viewer sees their own, their teams', or all."""

    permission = "usage.own"

    @property
    def viewer(self) -> Viewer:
        return current_viewer(self.request._request)

    def asked(self) -> Asked:
        """Read the question. Raises ValidationError: a program is not answered another question than it asked."""
        found = asked_for(self.request._request.GET.dict(), self.viewer)
        if found.problems:
            raise ValidationError({"query": found.problems})
        return found

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store, private"
        return answer


class UsageList(Reading):
    """Requests, newest first, in pages by the last one seen."""

    @extend_schema(
        operation_id="usage_list",
        summary="List requests that reached a provider",
        parameters=[
            *FILTERS,
            OpenApiParameter("status", str, enum=["ok", "errors"]),
            OpenApiParameter("before", str, description="`older` of the page before."),
        ],
        responses={200: UsagePage},
    )
    def get(self, request: Request) -> Response:
        asked, query = self.asked(), request._request.GET.dict()
        shown = paging.slice_of(events(self.viewer, asked.filters), query, size=_size(query.get("limit", "")))
        read = [tuple(getattr(event, name) for name in export.READ) for event in shown.rows]
        rows = export.name_rows(read, {place: {} for place in export.NAMED})
        results = [dict(zip(export.COLUMNS, row, strict=True)) for row in rows]
        return Response({"older": shown.older, "results": results})


class SpendList(Reading):
    """Sums of a dimension, dearest first; by day, month or hour where an interval is asked."""

    @extend_schema(
        operation_id="spend_list",
        summary="Sum up spend",
        parameters=[
            *FILTERS,
            OpenApiParameter("group", str, enum=list(GROUPS)),
            OpenApiParameter("interval", str, enum=list(INTERVALS)),
            OpenApiParameter("offset", int),
        ],
        responses={200: SpendOut},
    )
    def get(self, request: Request) -> Response:
        asked, pages, until = self.asked(), Pages(), data_until()
        interval = asked.interval if request.query_params.get("interval") else ""
        found = source(self.viewer, asked.filters, interval)
        if asked.group == "cost_centre" and interval:
            raise ValidationError({"interval": ["Cost centres have no interval here; group by team."]})
        if asked.group == "cost_centre":
            lines = by_cost_centre(found.lines("team"))
            rows: Any = [{"bucket": None, "one": code, "sums": sums} for code, sums in lines]
        else:
            rows = found.by_bucket(interval, asked.group) if interval else found.grouped(asked.group)
        page: list[dict[str, Any]] = list(pages.paginate_queryset(rows, request, self) or [])
        names = {} if asked.group == "cost_centre" else labels(asked.group, {row["one"] for row in page})
        return Response(
            {
                "start": rfc3339(asked.filters.start),
                "end": rfc3339(asked.filters.end),
                "data_until": rfc3339(until) if until else None,
                "total": _sums(found.total()),
                "count": pages.count,
                "next": pages.get_next_link(),
                "results": [_line(row, names) for row in page],
            }
        )


def _line(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    one, moment = row["one"] or NONE, row.get("bucket")
    time = None if moment is None else moment.isoformat().replace("+00:00", "Z")
    sums = row["sums"] if "sums" in row else figures(row)
    return {"time": time, "id": one, "name": names.get(one, one), **_sums(sums)}


def _sums(sums: Figures) -> dict[str, Any]:
    return {
        "requests": sums.calls, "errors": sums.failed, "input_tokens": sums.tokens_in,
        "output_tokens": sums.tokens_out, "cost_usd": format_usd(sums.cost),
    }  # fmt: skip


def _size(text: str) -> int:
    if not text:
        return LIMIT
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= MOST:
        raise ValidationError({"limit": [f"Use a whole number from 1 to {MOST}."]})
    return int(text)
