"""Results of a run: medians over rounds, what a gateway adds to the provider's own latency, ratios of Atrium to the others."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]  # figure, column


@dataclass
class Results:
    """Numbers by gateway, figure and column, each with one value a round; and what went wrong."""

    rounds: dict[str, dict[Key, list[float]]] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    whats: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def add(self, gateway: str, figure: str, numbers: dict[str, float]) -> None:
        """Take in what one round measured."""
        for column, value in numbers.items():
            self.rounds.setdefault(gateway, {}).setdefault((figure, column), []).append(value)

    def median(self, gateway: str, figure: str, column: str) -> float | None:
        """Return the median over rounds, None if it was not measured."""
        values = self.rounds.get(gateway, {}).get((figure, column))
        return statistics.median(values) if values else None

    def added(self, gateway: str, figure: str, column: str) -> float | None:
        """Return the median over rounds of what the gateway adds to the direct way in the same round."""
        own = self.rounds.get(gateway, {}).get((figure, column), [])
        direct = self.rounds.get(DIRECT, {}).get((figure, column), [])
        pairs = list(zip(own, direct, strict=False))
        return statistics.median(here - there for here, there in pairs) if pairs else None

    def as_json(self) -> dict[str, Any]:
        """Return everything, every round of it."""
        rounds = {
            gateway: {f"{figure}.{column}": values for (figure, column), values in numbers.items()}
            for gateway, numbers in self.rounds.items()
        }
        return {**vars(self), "rounds": rounds}


DIRECT = "direct"
ATRIUM = "Atrium"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    title: str
    figure: str
    column: str
    digits: int = 0
    added: bool = False
    more_is_better: bool = False

    def value(self, results: Results, gateway: str) -> float | None:
        """Return the number of a gateway."""
        if self.added and gateway != DIRECT:
            return results.added(gateway, self.figure, self.column)
        return results.median(gateway, self.figure, self.column)


ROWS = (
    Row("requests/s, 32 connections", "chat", "per_s", more_is_better=True),
    Row("CPU per request, µs", "chat", "cpu_us"),
    Row("share of its core used there", "chat", "busy", 2),
    Row("CPU of PostgreSQL and Redis per request, µs", "chat", "stores_us"),
    Row("requests/s, 1 connection", "alone", "per_s", more_is_better=True),
    Row("added p50 at 50 requests/s, ms", "low", "p50_ms", 2, added=True),
    Row("added p99 at 50 requests/s, ms", "low", "p99_ms", 2, added=True),
    Row("chunks/s at full flow", "flow", "chunks_per_s", more_is_better=True),
    Row("CPU per 1,000 chunks at full flow, ms", "flow", "cpu_ms_per_1000", 1),
    Row("100 streams: added time to first byte p50, ms", "streams", "ttfb_ms", 2, added=True),
    Row("100 streams: added time to first byte p99, ms", "streams", "ttfb_p99_ms", 2, added=True),
    Row("100 streams: CPU per 1,000 chunks, ms", "streams", "cpu_ms_per_1000", 1),
    Row("1,000 streams at once: added time to first byte p50, ms", "at_once", "ttfb_ms", 0, added=True),
    Row("1,000 streams at once: CPU per 1,000 chunks, ms", "at_once", "cpu_ms_per_1000", 1),
    Row("1,000 streams at once: memory, MB", "at_once", "memory_mb"),
    Row("TLS to the provider: requests/s", "tls", "per_s", more_is_better=True),
    Row("TLS to the provider: CPU per request, µs", "tls", "cpu_us"),
    Row("CPU while nobody calls, % of a core", "idle", "percent", 1),
    Row("memory after load, MB", "memory", "after_mb"),
    Row("start to first answer, s", "start", "seconds", 2),
    Row("two processes: CPU per request, µs", "two", "cpu_us"),
    Row("two processes: requests/s of one, × (see text)", "two", "scale", 2, more_is_better=True),
    Row("500,000 keys, each seen for the first time: requests/s", "keys", "cold_per_s", more_is_better=True),
    Row("500,000 keys, each seen for the first time: p99, ms", "keys", "cold_p99_ms", 1),
    Row("500,000 keys, 5,000 of them in turn: requests/s", "keys", "warm_per_s", more_is_better=True),
    Row("500,000 keys: CPU per request, µs", "keys", "warm_cpu_us"),
    Row("500,000 keys: memory, MB", "keys", "memory_mb"),
)


def table(results: Results) -> str:
    """Return the figures as a markdown table: a column for each gateway."""
    names = [name for name in (DIRECT, *results.versions) if name in results.rounds]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row in ROWS:
        values = [row.value(results, name) for name in names]
        if any(value is not None for value in values):
            cells = [
                _failed(results, name, row) if value is None else f"{value:,.{row.digits}f}"
                for name, value in zip(names, values, strict=True)
            ]
            lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(results: Results) -> str:
    """Return Atrium against each other gateway, as a markdown table; above 1 Atrium is better."""
    others = [name for name in results.versions if name != ATRIUM and name in results.rounds]
    if not others:
        return ""
    lines = ["| Atrium is better by × | " + " | ".join(others) + " |", "|---|" + "---:|" * len(others)]
    for row in ROWS:
        own = row.value(results, ATRIUM)
        found = [_ratio(row, own, row.value(results, name)) for name in others]
        if row.column != "busy" and any(found):
            lines.append(f"| {row.title} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def remarks(results: Results) -> Iterator[str]:
    """Yield what was measured, and what was not and why."""
    for name, version in results.versions.items():
        yield f"- {name} {version}: {results.whats.get(name, '')}"
    for name, reason in results.missing.items():
        yield f"- {name}: not measured: {reason}"
    for name, reasons in results.failed.items():
        for figure, reason in reasons.items():
            yield f"- {name}, {figure}: failed: {reason}"


def _failed(results: Results, name: str, row: Row) -> str:
    return "failed" if row.figure in results.failed.get(name, {}) else "–"


def _ratio(row: Row, own: float | None, other: float | None) -> str:
    if own is None or other is None or own <= 0 or other <= 0:
        return ""
    ratio = own / other if row.more_is_better else other / own
    return f"{ratio:,.2f}" if ratio < 10 else f"{ratio:,.0f}"


def document(results: Results, extra: Iterable[str] = ()) -> str:
    """Return the whole result as markdown."""
    about = [f"- {name}: {value}" for name, value in results.about.items()]
    parts = ["\n".join(about), table(results), ratios(results), "\n".join(remarks(results)), *extra]
    return "\n\n".join(part for part in parts if part) + "\n"
