"""What a Converse answer used."""

from collections.abc import Mapping
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


def invocation_usage(given: object) -> Usage | None:
    """Read `amazon-bedrock-invocationMetrics`, which ends a stream of InvokeModelWithResponseStream. None: it says nothing.

    Its numbers are those of the response headers of InvokeModel, and leave out caches as those of Converse do.
    """
    if not isinstance(given, dict):
        return None
    plain, output = counted(given, "inputTokenCount"), counted(given, "outputTokenCount")
    cached, written = counted(given, "cacheReadInputTokenCount"), counted(given, "cacheWriteInputTokenCount")
    return Usage(plain + cached + written, cached, written, output) if plain or output or cached or written else None


def told_in(headers: Mapping[str, str]) -> Usage | None:
    """Read what InvokeModel says in the headers of an answer, whose body may not: of embeddings of Cohere's, for one."""
    into, out = (headers.get(f"x-amzn-bedrock-{way}-token-count", "") for way in ("input", "output"))
    if not into.isdecimal() or len(into) > 12:
        return None
    return Usage(int(into), output_tokens=int(out) if out.isdecimal() and len(out) <= 12 else 0)


def written_metrics(usage: Usage | None) -> dict[str, Any]:
    """Write them; zeros where nothing is known, and for how long it took."""
    usage = usage or Usage()
    return {
        "inputTokenCount": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "outputTokenCount": usage.output_tokens,
        "invocationLatency": 0,
        "firstByteLatency": 0,
        "cacheReadInputTokenCount": usage.cached_tokens,
        "cacheWriteInputTokenCount": usage.cache_write_tokens,
    }
