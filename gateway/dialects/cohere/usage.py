"""What Cohere bills."""

from typing import Any

from gateway.dialects.shapes import counted
from gateway.types import Usage


def usage_of(given: object) -> Usage | None:
    """Read `usage` of a chat, or `meta` of other answers. None when it says nothing.

    `billed_units` is what costs money. `tokens` holds as well what Cohere writes around each prompt, which is not billed,
    and `cached_tokens` are a part of those: so they count only where an engine tells `tokens` alone. Thought is billed as
    output, and not told apart.
    """
    if not isinstance(given, dict):
        return None
    billed = _tokens(given.get("billed_units"))
    if billed is not None:
        return Usage(billed[0], 0, 0, billed[1])
    told = _tokens(given.get("tokens"))
    if told is None:
        return None
    return Usage(told[0], min(counted(given, "cached_tokens"), told[0]), 0, told[1])


def _tokens(units: object) -> tuple[int, int] | None:
    """Return tokens in and out, None where neither is told."""
    values: dict[str, Any] = units if isinstance(units, dict) else {}
    into, out = counted(values, "input_tokens"), counted(values, "output_tokens")
    return (into, out) if into or out else None
