"""A spend question as rows of a file: exact decimal USD, names and ids."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from billing.asking import Asked
from billing.filters import NONE
from billing.labels import labels
from billing.moments import rfc3339
from billing.spend import Figures, by_cost_centre, figures, source
from gateway.money import format_usd
from portal.people.access import Viewer

HEAD = ("time", "group", "id", "name", "requests", "errors", "input_tokens", "output_tokens", "cost_usd")
CHUNK = 1000


def sheet(viewer: Viewer, asked: Asked) -> Iterator[list[object]]:
    """Yield rows of HEAD by time, dearest first within it; what happened equals the page's figures to the nano-USD."""
    found = source(viewer, asked.filters, asked.interval)
    stored = "team" if asked.group == "cost_centre" else asked.group
    rows = found.by_bucket(asked.interval, stored)
    if asked.group == "cost_centre":
        yield from _centre_rows(rows)
        return
    known: dict[str, str] = {}
    stream = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(stream, CHUNK)):
        unknown = {row["one"] for row in chunk if row["one"]} - known.keys()
        known |= dict.fromkeys(unknown, "") | labels(asked.group, unknown)
        for row in chunk:
            yield _row(row["bucket"], asked.group, row["one"], known.get(row["one"], ""), figures(row))


def _centre_rows(rows: Any) -> Iterator[list[object]]:
    buckets: dict[Any, list[tuple[str, Figures]]] = {}
    for row in rows:
        buckets.setdefault(row["bucket"], []).append((row["one"], figures(row)))
    for bucket, lines in buckets.items():
        for code, sums in by_cost_centre(lines):
            yield _row(bucket, "cost_centre", "" if code == NONE else code, code, sums)


def _row(bucket: Any, group: str, one: str, name: str, sums: Figures) -> list[object]:
    time = rfc3339(bucket) if isinstance(bucket, datetime) else bucket.isoformat()
    return [
        time, group, one, name or one or NONE,
        sums.calls, sums.failed, sums.tokens_in, sums.tokens_out, format_usd(sums.cost),
    ]  # fmt: skip
