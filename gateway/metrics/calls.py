"""From the lines of calls to what is counted of them."""

from collections import defaultdict
from collections.abc import Iterable

from gateway.metrics import table
from gateway.metrics.values import OTHER, Values
from gateway.snapshot import Snapshot
from gateway.types import CallLine

MOST_CODES = 100


class CallCounts:
    """Counts calls by model and provider, never by key or person. Codes of providers are bounded: they choose them."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._snapshot: Snapshot | None = None
        self._providers: dict[str, str] = {}  # deployment id → provider's slug
        self._codes: set[str] = set()

    def count(self, lines: Iterable[CallLine], snapshot: Snapshot | None) -> None:
        """Count lines; `snapshot` knows what their ids are called. Those that count alike are counted together."""
        self._learn(snapshot)
        alike: defaultdict[tuple[object, ...], list[CallLine]] = defaultdict(list)
        for line in lines:
            kind = (
                line.model_id, line.deployment_id, line.status, line.code, line.source, line.endpoint, line.streamed,
            )  # fmt: skip
            alike[kind].append(line)
        for group in alike.values():
            self._count(group)

    def _count(self, group: list[CallLine]) -> None:
        line, values = group[0], self._values
        known = self._snapshot.models.get(line.model_id) if self._snapshot else None
        model = known.slug if known else OTHER if line.model_id else ""
        provider = self._providers.get(line.deployment_id, OTHER) if line.deployment_id else ""
        code = self._code(line.code)
        values.add(table.CALLS, len(group), line.endpoint, model, provider, str(line.status), code)
        overheads = [line.overhead_us / 1e6 for line in group]
        values.observe(table.OVERHEAD, overheads, line.endpoint, "true" if line.streamed else "false")
        if line.source == "gateway":
            values.add(table.REFUSALS, len(group), code)
        if not provider:
            return
        values.observe(table.DURATION, [line.latency_ms / 1e3 for line in group], model, provider)
        if waits := [line.ttft_ms / 1e3 for line in group if line.ttft_ms]:
            values.observe(table.TTFT, waits, model, provider)
        for metric, amount, *kind in (
            (table.TOKENS, sum([line.input_tokens for line in group]), "input"),
            (table.TOKENS, sum([line.output_tokens for line in group]), "output"),
            (table.TOKENS, sum([line.cached_tokens for line in group]), "cached"),
            (table.TOKENS, sum([line.reasoning_tokens for line in group]), "reasoning"),
            (table.COST, sum([line.cost_nano_usd for line in group]) / 1e9),
            (table.ESTIMATED, sum([line.estimated for line in group])),
        ):
            if amount:
                values.add(metric, amount, model, provider, *kind)

    def _learn(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None and snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._providers |= {
                place.id: place.provider for model in snapshot.models.values() for place in model.deployments
            }

    def _code(self, code: str) -> str:
        if code in self._codes:
            return code
        if len(self._codes) >= MOST_CODES:
            return OTHER
        self._codes.add(code)
        return code
