"""From the lines of calls to what is counted of them."""

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
        """Count lines; `snapshot` knows what their ids are called."""
        self._learn(snapshot)
        for line in lines:
            self._count(line)

    def _count(self, line: CallLine) -> None:
        values = self._values
        known = self._snapshot.models.get(line.model_id) if self._snapshot else None
        model = known.slug if known else OTHER if line.model_id else ""
        provider = self._providers.get(line.deployment_id, OTHER) if line.deployment_id else ""
        code = self._code(line.code)
        values.add(table.CALLS, 1, line.endpoint, model, provider, str(line.status), code)
        values.observe(table.OVERHEAD, line.overhead_us / 1e6, line.endpoint, "true" if line.streamed else "false")
        if line.source == "gateway":
            values.add(table.REFUSALS, 1, code)
        if not provider:
            return
        values.observe(table.DURATION, line.latency_ms / 1e3, model, provider)
        if line.ttft_ms:
            values.observe(table.TTFT, line.ttft_ms / 1e3, model, provider)
        if line.input_tokens:
            values.add(table.TOKENS, line.input_tokens, model, provider, "input")
        if line.output_tokens:
            values.add(table.TOKENS, line.output_tokens, model, provider, "output")
        if line.cost_nano_usd:
            values.add(table.COST, line.cost_nano_usd / 1e9, model, provider)
        if line.estimated:
            values.add(table.ESTIMATED, 1, model, provider)

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
