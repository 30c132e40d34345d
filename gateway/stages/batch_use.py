"""What a batch used: the usage of each line of its output, added up. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.responses.usage import usage_of as usage_of_response
from gateway.dialects.shapes import counted
from gateway.endpoints import RESPONSES
from gateway.snapshot import Price
from gateway.stages.meter import cost
from gateway.types import Usage

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class _Body(msgspec.Struct):
    usage: Any = None


class _Response(msgspec.Struct):
    status_code: int = 0
    body: _Body | None = None


class _Line(msgspec.Struct):
    response: _Response | None = None


_line = msgspec.json.Decoder(_Line)


class Tally:
    """Adds up lines as they come. `answered`: lines with an answer; `untold`: those of them that say no usage."""

    def __init__(self, url: str, price: Price) -> None:
        self._read: Callable[[Any], Usage | None] = (
            usage_of_response if url == RESPONSES.path else openai_usage.usage_of
        )
        self._price = price
        self._full = 0  # nano-USD
        self.usage = Usage()
        self.answered = self.untold = 0

    @property
    def cost_nano_usd(self) -> int:
        """What all of it costs at the price of batches: each line rounded as a call, the share once, up."""
        return -(-self._full * self._price.batch // 100)

    def add(self, line: bytes) -> None:
        """Take a line. One that cannot be read counts as an answer that tells nothing."""
        if not line.strip():
            return
        try:
            response = _line.decode(line).response
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            response = _Response(200)
        if response is None or response.status_code != 200:
            return
        self.answered += 1
        used = self._read(response.body.usage) if response.body is not None else None
        if used is None:
            self.untold += 1
        else:
            self._full += cost(used, self._price)
            self.usage = _sum(self.usage, used)


def _sum(one: Usage, other: Usage) -> Usage:
    units = {
        name: (one.units or {}).get(name, 0) + (other.units or {}).get(name, 0)
        for name in {*(one.units or {}), *(other.units or {})}
    }
    return Usage(
        one.input_tokens + other.input_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.output_tokens + other.output_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        units or None,
    )


def completed_of(batch: Mapping[str, Any]) -> int:
    """Return how many lines a batch says that it has answered."""
    counts = batch.get("request_counts")
    return counted(counts, "completed") if isinstance(counts, dict) else 0
