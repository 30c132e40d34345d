"""Gemini's usageMetadata and OpenAI's sense of it, and why an answer ended."""

from typing import Any

from gateway.dialects.canonical import StopReason
from gateway.dialects.modalities import by_modality, of_prompt, units_among
from gateway.dialects.shapes import counted
from gateway.types import Usage

_LENGTH = ("MAX_TOKENS", "CONTINUATION")
_REASONS: dict[StopReason, str] = {"length": "MAX_TOKENS", "refusal": "SAFETY", "filtered": "SAFETY"}


def usage_of(value: object) -> Usage | None:
    """Read a usageMetadata. None when it says nothing.

    `promptTokenCount` includes what was cached; prompts of tools come on top. `candidatesTokenCount` leaves thought out,
    which stands in `thoughtsTokenCount`. `totalTokenCount` is the sum of all (API reference, "UsageMetadata").
    """
    if not isinstance(value, dict):
        return None
    prompt = counted(value, "promptTokenCount") + counted(value, "toolUsePromptTokenCount")
    thought = counted(value, "thoughtsTokenCount")
    output = max(counted(value, "candidatesTokenCount") + thought, counted(value, "totalTokenCount") - prompt)
    if not prompt and not output:
        return None
    return by_modality(Usage(prompt, min(counted(value, "cachedContentTokenCount"), prompt), 0, output, thought), value)


def written_usage(usage: Usage) -> dict[str, Any]:
    """Write a usageMetadata."""
    written = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_tokens:
        written["cachedContentTokenCount"] = usage.cached_tokens
    if usage.reasoning_tokens:
        written["thoughtsTokenCount"] = usage.reasoning_tokens
    return written | _written_details(usage)


def _written_details(usage: Usage) -> dict[str, Any]:
    """Write which tokens were sound and images; the rest, where there is any of them, was text."""
    buckets = {
        "promptTokensDetails": (usage.input_tokens, of_prompt(usage)),
        "cacheTokensDetails": (usage.cached_tokens, units_among(usage, "cached")),
        "candidatesTokensDetails": (usage.output_tokens - usage.reasoning_tokens, units_among(usage, "output")),
    }
    return {
        name: [
            {"modality": kind.upper(), "tokenCount": count}
            for kind, count in {"text": total - sum(kinds.values()), **kinds}.items()
            if count > 0
        ]
        for name, (total, kinds) in buckets.items()
        if kinds
    }


def stop_of(reason: str, called: bool) -> StopReason:
    """Return why an answer ended. Gemini says STOP for calls of tools too.

    What is neither a natural end nor the cap (safety, recitation, a malformed call, …) reads as filtered: the answer is
    not the one that the model meant to give.
    """
    if reason in {"STOP", ""}:
        return "tools" if called else "end"
    return "length" if reason in _LENGTH else "filtered"


def reason_of(stop: StopReason) -> str:
    """Return a finishReason."""
    return _REASONS.get(stop, "STOP")


def blocked(answer: dict[str, Any]) -> bool:
    """Say whether the prompt was blocked, so that no candidate comes."""
    feedback = answer.get("promptFeedback")
    return isinstance(feedback, dict) and bool(feedback.get("blockReason"))
