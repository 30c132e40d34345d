"""What a Converse answer used."""

from typing import Any

from gateway.dialects.shapes import counted
from gateway.types import Usage


def usage_of(given: object) -> Usage | None:
    """Read a TokenUsage. None when it says nothing.

    `inputTokens` leave out what was read from the cache and written to it; `outputTokens` include thought (Amazon Bedrock
    User Guide, "Prompt caching" and "Enhance model responses with model reasoning").
    """
    if not isinstance(given, dict):
        return None
    plain, output = counted(given, "inputTokens"), counted(given, "outputTokens")
    cached, written = counted(given, "cacheReadInputTokens"), counted(given, "cacheWriteInputTokens")
    if not plain and not output and not cached and not written:
        return None
    return Usage(plain + cached + written, cached, written, output)


def written_usage(usage: Usage | None) -> dict[str, Any]:
    """Write a TokenUsage; zeros where nothing is known."""
    usage = usage or Usage()
    return {
        "inputTokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
