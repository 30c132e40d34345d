"""Which of the tokens that a provider counts are sound or images: they have prices of their own (`gateway.units`)."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from gateway.dialects.shapes import counted, listed
from gateway.types import Usage

KINDS = ("audio", "image")
Counts = Mapping[str, int]  # tokens by kind


def told_apart(usage: Usage, read: Counts, cached: Counts, made: Counts) -> Usage:
    """Return `usage` with its units: of the prompt (`read`, what was `cached` included), and of the output (`made`).

    Nothing is counted beyond the bucket that holds it. Where nobody says what was cached, texts were first.
    """
    plain_room, cached_room = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, usage.cached_tokens
    made_room = usage.output_tokens
    units: dict[str, int] = {}
    for kind in KINDS:
        total = read.get(kind, 0)
        plain = min(max(total - cached.get(kind, 0), 0), plain_room)
        from_cache = min(total - plain, cached_room)
        output = min(made.get(kind, 0), made_room)
        plain_room, cached_room, made_room = plain_room - plain, cached_room - from_cache, made_room - output
        named = {f"input_{kind}_tokens": plain, f"cached_{kind}_tokens": from_cache, f"output_{kind}_tokens": output}
        units |= {name: count for name, count in named.items() if count}
    return replace(usage, units=units | dict(usage.units or {})) if units else usage


def by_details(usage: Usage, read: object, made: object) -> Usage:
    """Return `usage` with what OpenAI's two objects of details say.

    Source: openai 3.52.0, `types/completion_usage.py`; `types/realtime/realtime_response_usage_input_token_details.py`
    for what was cached.
    """
    into, out = _details(read), _details(made)
    if not any(into.values()) and not any(out.values()):
        return usage
    return told_apart(usage, into, _details(read.get("cached_tokens_details") if isinstance(read, dict) else None), out)


def by_modality(usage: Usage, told: Mapping[str, Any]) -> Usage:
    """Return `usage` with what a usageMetadata says of modalities.

    Source: google-genai 3.4.0, `types.GenerateContentResponseUsageMetadata`: lists of `ModalityTokenCount`.
    """
    into = _modalities(told, "promptTokensDetails", "toolUsePromptTokensDetails")
    cached, out = _modalities(told, "cacheTokensDetails"), _modalities(told, "candidatesTokensDetails")
    return told_apart(usage, into, cached, out) if into or out else usage


def units_among(usage: Usage, bucket: str) -> dict[str, int]:
    """Return how much of a bucket ("input", "cached", "output") was sound and images, by kind, where there was any."""
    units = usage.units or {}
    return {kind: count for kind in KINDS if (count := units.get(f"{bucket}_{kind}_tokens", 0))}


def of_prompt(usage: Usage) -> dict[str, int]:
    """Return how much of the whole prompt was sound and images, by kind."""
    plain, cached = units_among(usage, "input"), units_among(usage, "cached")
    return {kind: plain.get(kind, 0) + cached.get(kind, 0) for kind in KINDS if kind in plain or kind in cached}


def _details(given: object) -> dict[str, int]:
    return {kind: counted(given, f"{kind}_tokens") for kind in KINDS} if isinstance(given, dict) else {}


def _modalities(told: Mapping[str, Any], *names: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        for entry in listed(told.get(name)):
            kind = str(entry.get("modality", "")).lower()
            if kind in KINDS and (count := counted(entry, "tokenCount")):
                found[kind] = found.get(kind, 0) + count
    return found
