"""What providers say that sound took: tokens, or seconds."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from gateway.dialects.shapes import counted
from gateway.types import Usage

MOST_SECONDS = 1 << 24


def usage_of(told: object, seconds: int) -> Usage | None:
    """Read the usage object of a transcription; None where it says nothing. `seconds`: what was measured.

    OpenAI's has a `type`: `tokens` (`input_tokens`, `output_tokens`) or `duration` (`seconds`); Mistral's has the names of
    chats, and `prompt_audio_seconds`. Where tokens are told alone, the measured seconds stand beside them, as a price may
    be for either. Sources: openai 3.54.0, types/audio/transcription.py; mistralai 3.7.0, client/models/usageinfo.py.
    """
    if not isinstance(told, dict):
        return None
    played = told_seconds(told.get("seconds", told.get("prompt_audio_seconds")))
    tokens = tokens_of(told, ("input", "output") if "input_tokens" in told else ("prompt", "completion"))
    if played is not None:
        return _with(tokens or Usage(), {"seconds": played})
    return None if tokens is None else _with(tokens, {"seconds": seconds}, ("seconds",))


def tokens_of(told: Mapping[str, Any], names: tuple[str, str] = ("input", "output")) -> Usage | None:
    """Read what is said in tokens; None where that is nothing."""
    into, out = (counted(dict(told), f"{name}_tokens") for name in names)
    if not into and not out:
        return None
    details = told.get(f"{names[0]}_token_details")
    sound = min(counted(details, "audio_tokens"), into) if isinstance(details, dict) else 0
    return Usage(into, output_tokens=out, units={"input_audio_tokens": sound} if sound else None)


def told_seconds(value: object) -> int | None:
    """Return a duration in whole seconds, rounded up; None where it is none."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return ceil(seconds) if 0 <= seconds < MOST_SECONDS else None


def _with(usage: Usage, units: dict[str, int], estimated: tuple[str, ...] = ()) -> Usage:
    return Usage(
        usage.input_tokens,
        output_tokens=usage.output_tokens,
        units={**(usage.units or {}), **units},
        estimated=estimated,
    )
