"""What a Converse answer used."""

from typing import Any

from gateway.dialects.shapes import counted, listed
from gateway.types import Usage

HOUR = "cache_write_1h_tokens"


def usage_of(given: object) -> Usage | None:
    """Read a TokenUsage. None when it says nothing.

    `inputTokens` leave out what was read from the cache and written to it; `outputTokens` include thought (Amazon Bedrock
    User Guide, "Prompt caching" and "Enhance model responses with model reasoning"). What was written for an hour is part
    of what was written (botocore 1.44.5, bedrock-runtime, `TokenUsage.cacheDetails`).
    """
    if not isinstance(given, dict):
        return None
    plain, output = counted(given, "inputTokens"), counted(given, "outputTokens")
    cached, written = counted(given, "cacheReadInputTokens"), counted(given, "cacheWriteInputTokens")
    if not plain and not output and not cached and not written:
        return None
    details = [one for one in listed(given.get("cacheDetails")) if one.get("ttl") == "1h"]
    hour = min(sum(counted(one, "inputTokens") for one in details), written)
    return Usage(plain + cached + written, cached, written, output, units={HOUR: hour} if hour else None)


def written_usage(usage: Usage | None) -> dict[str, Any]:
    """Write a TokenUsage; zeros where nothing is known."""
    usage = usage or Usage()
    written: dict[str, Any] = {
        "inputTokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
    if hour := (usage.units or {}).get(HOUR, 0):
        times = {"1h": hour, "5m": usage.cache_write_tokens - hour}
        written["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in times.items() if count]
    return written
