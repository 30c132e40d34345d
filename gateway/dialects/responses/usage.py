"""The usage object of a response, and what a stream generated where there is none."""

import re
from typing import Any

from gateway.dialects.modalities import by_details
from gateway.dialects.shapes import counted
from gateway.types import Usage

_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)+)"', re.DOTALL)


def usage_of(usage: object) -> Usage | None:
    """Read a usage object. None when it says nothing: absent, malformed, or zero throughout."""
    if not isinstance(usage, dict):
        return None
    prompt, output = counted(usage, "input_tokens"), counted(usage, "output_tokens")
    if not prompt and not output:
        return None
    read, made = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    read, made = read if isinstance(read, dict) else {}, made if isinstance(made, dict) else {}
    cached = min(counted(read, "cached_tokens"), prompt)
    written = min(counted(read, "cache_write_tokens"), prompt - cached)
    return by_details(
        Usage(prompt, cached, written, output, min(counted(made, "reasoning_tokens"), output)), read, made
    )


def written_usage(usage: Usage) -> dict[str, Any]:
    """Write usage in OpenAI's sense, which is our own."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def deltas(block: bytes) -> list[bytes]:
    """Return the JSON-escaped pieces that the events of a block add; later events say all of them again."""
    return _DELTA.findall(block)
