"""Usage as files: rows read in pages and written as they come, names looked up once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from billing.models import UsageEvent
from billing.moments import rfc3339
from catalog.models import Deployment, Model, Provider
from portal.people.models import Application, Team, User

COLUMNS = (
    "request_id", "time", "team", "user", "key", "application", "model", "deployment", "provider", "status",
    "input_tokens", "cached_tokens", "output_tokens", "cost_nano_usd", "latency_ms", "ttft_ms", "estimated", "units",
)  # fmt: skip
READ = (
    "request_id", "at", "team_id", "user_id", "key_id", "application_id", "model_id", "deployment_id", "provider_id", "status",
    "input_tokens", "cached_tokens", "output_tokens", "cost_nano_usd", "latency_ms", "ttft_ms", "estimated", "units",
)  # fmt: skip
NAMED: dict[int, Callable[[list[str]], Iterable[tuple[str, str]]]] = {
    2: lambda ids: Team.objects.filter(id__in=ids).values_list("id", "slug"),
    3: lambda ids: User.objects.filter(id__in=ids).values_list("id", "email"),
    5: lambda ids: Application.objects.filter(id__in=ids).values_list("id", "slug"),
    6: lambda ids: Model.objects.filter(id__in=ids).values_list("id", "slug"),
    7: lambda ids: Deployment.objects.filter(id__in=ids).values_list("id", "upstream_model"),
    8: lambda ids: Provider.objects.filter(id__in=ids).values_list("id", "slug"),
}
UNITS = COLUMNS.index("units")
Names = dict[int, dict[str, str]]  # place in COLUMNS → id → name
CHUNK = 1000


def rows_of(events: QuerySet[UsageEvent]) -> Iterator[list[Any]]:
    """Yield the values of COLUMNS for each event, in order of time. What was deleted is named by its id."""
    names: Names = {place: {} for place in NAMED}
    stream = events.order_by("at", "request_id", "attempt").values_list(*READ).iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        yield from name_rows(chunk, names)


def name_rows(chunk: Sequence[tuple[Any, ...]], names: Names) -> Iterator[list[Any]]:
    """Yield rows of READ as values of COLUMNS; `names` remembers what was looked up."""
    for place, look_up in NAMED.items():
        unknown = {row[place] for row in chunk if row[place]} - names[place].keys()
        if unknown:
            names[place].update(dict.fromkeys(unknown, ""), **dict(look_up(sorted(unknown))))
    for row in chunk:
        values = list(row)
        values[1] = rfc3339(values[1])
        values[UNITS] = values[UNITS] or {}
        for place, known in names.items():
            values[place] = known.get(values[place]) or values[place] or ""
        yield values


def plain(rows: Iterable[Iterable[Any]]) -> Iterator[list[Any]]:
    """Yield rows for a text file: true and false in lower case, as JSON writes them; units as `images 2; searches 1`."""
    for row in rows:
        yield [_plain(value) for value in row]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return "; ".join(f"{name} {count}" for name, count in value.items())
    return str(value).lower() if isinstance(value, bool) else value
