"""Anthropic's usage object, whose input leaves out what was read from a cache or written to it."""

from typing import Any

from gateway.dialects.shapes import counted
from gateway.types import Usage

HOUR = "cache_write_1h_tokens"


def usage_of(given: object) -> Usage | None:
    """Read a usage object. None when it says nothing.

    "Total input tokens in a request is the summation of input_tokens, cache_creation_input_tokens, and
    cache_read_input_tokens" (`Message.usage`). `output_tokens` include thinking. What was written for an hour is part of
    what was written (anthropic 2.12.0, `types/cache_creation.py`).
    """
    if not isinstance(given, dict):
        return None
    cached, written = counted(given, "cache_read_input_tokens"), counted(given, "cache_creation_input_tokens")
    prompt, output = counted(given, "input_tokens") + cached + written, counted(given, "output_tokens")
    if not prompt and not output:
        return None
    details = given.get("output_tokens_details")
    thought = counted(details, "thinking_tokens") if isinstance(details, dict) else 0
    by_time = given.get("cache_creation")
    hour = min(counted(by_time, "ephemeral_1h_input_tokens"), written) if isinstance(by_time, dict) else 0
    return Usage(prompt, cached, written, output, min(thought, output), {HOUR: hour} if hour else None)


def merged(known: dict[str, Any], more: object) -> dict[str, Any]:
    """Return what is known of usage with what a later event says of it: its numbers are totals, not additions.

    A total never falls, so a smaller number (some providers end with a prompt of 0) does not take back a larger one.
    """
    if not isinstance(more, dict):
        return known
    return known | {name: value for name, value in more.items() if value is not None and not _falls(known, name, value)}


def _falls(known: dict[str, Any], name: str, value: object) -> bool:
    return isinstance(value, int) and value < counted(known, name)


def tells_output(usage: object) -> bool:
    """Say whether a usage object tells the output: that of a stream's start holds its first tokens alone."""
    return isinstance(usage, dict) and usage.get("output_tokens") is not None


def written_usage(usage: Usage) -> dict[str, Any]:
    """Write usage as Anthropic does."""
    written: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if hour := (usage.units or {}).get(HOUR, 0):
        five = usage.cache_write_tokens - hour
        written["cache_creation"] = {"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": five}
    return written
