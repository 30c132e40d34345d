"""What the next response of a session has to read: a bound of it, by what was said so far. Pure.

The whole conversation is read for each response, so that what is deleted or truncated is not taken off: the bound only
grows, up to the model's context window. A second of sound is 10 tokens as heard and 20 as spoken; special tokens come on
top. Source: "Managing costs", developers.openai.com/api/docs/guides/realtime-costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.money import settle
from gateway.snapshot import LongRates, Price
from gateway.types import Usage

PCM_BYTES_A_SECOND, G711_BYTES_A_SECOND = 48_000, 8_000
HEARD_TOKENS_A_SECOND, SPOKEN_TOKENS_A_SECOND = 10, 20
SPECIAL_TOKENS, SPECIAL_TOKENS_AN_ITEM = 256, 16
CHARACTERS_A_TOKEN = 3  # for what is estimated, not for bounds


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a response, or a transcription, may use, in tokens.

    `guess`: what its prompt is likely to have, for what nobody tells.
    """

    text: int
    audio: int
    image: int
    output: int
    guess: int = 0
    seconds: int = 0  # of sound, for what is billed by them

    @property
    def input(self) -> int:
        """Tokens of the prompt."""
        return self.text + self.audio + self.image

    def covers(self, other: "Bound") -> bool:
        """Say whether whoever holds this has enough for `other`."""
        return self.output >= other.output and self.audio >= other.audio and self.input >= other.input


class Held:
    """Counts what is said."""

    def __init__(self) -> None:
        self.text = SPECIAL_TOKENS  # a token is at least a byte
        self.images = 0
        self._tokens = 0  # of sound in items
        self._buffered: dict[int, int] = {}  # bytes of sound by bytes a second

    def add_sound(self, size: int, pcm: bool) -> None:
        """Take in sound of `size` bytes."""
        rate = PCM_BYTES_A_SECOND if pcm else G711_BYTES_A_SECOND
        self._buffered[rate] = self._buffered.get(rate, 0) + size

    def add_item(self, item: Any, pcm: bool) -> None:
        """Take in an item as the client sends it."""
        size, sound, images = measured(item)
        self.text += size + SPECIAL_TOKENS_AN_ITEM
        self.images += images
        if sound:
            self.add_sound(sound, pcm)

    def add_answer(self, tokens: int) -> None:
        """Take in an answer. What was spoken is read again as sound."""
        self._tokens += tokens + SPECIAL_TOKENS_AN_ITEM

    @property
    def audio(self) -> int:
        """Tokens of sound."""
        return self._tokens + self.seconds * HEARD_TOKENS_A_SECOND

    @property
    def seconds(self) -> int:
        """Seconds of sound that came from the client."""
        return sum(-(-size // rate) for rate, size in self._buffered.items())

    def bound(self, settings_size: int, output: int, context: int, *, margin: int = 0) -> Bound:
        """Return the most that a response may use that begins now, or once `margin` more tokens of sound have come."""
        text, audio, image = self.text + settings_size, self.audio + margin, self.images * IMAGE_TOKENS
        guess = text // CHARACTERS_A_TOKEN + self.audio + image // 50
        if context:  # sound is dearest and text cheapest, so the window is filled in that order
            audio = min(audio, context)
            image = min(image, context - audio)
            text = min(text, context - audio - image)
            guess = min(guess, context)
        return Bound(text, audio, image, output or context or 4096, guess)


def transcription_bound(held: Held, *, margin: int = 0) -> Bound:
    """Return the most that a transcription may use of all that was heard, once `margin` more tokens of sound have come.

    People say three words a second, and seldom more.
    """
    seconds = held.seconds + -(-margin // HEARD_TOKENS_A_SECOND)
    audio = seconds * HEARD_TOKENS_A_SECOND
    return Bound(SPECIAL_TOKENS, audio, 0, audio + SPECIAL_TOKENS, audio, seconds)


def measured(item: Any) -> tuple[int, int, int]:
    """Return (bytes of text, bytes of sound, images) of an item, or of a list of them."""
    size, sound, images = len(msgspec.json.encode(item)), 0, 0
    for one in item if isinstance(item, list) else [item]:
        content = one.get("content") if isinstance(one, dict) else None
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                continue
            if isinstance(part.get("audio"), str):
                size -= len(part["audio"])
                sound += sound_bytes(part["audio"])
            if part.get("type") == "input_image" or "image_url" in part:
                size -= len(part["image_url"]) if isinstance(part.get("image_url"), str) else 0
                images += 1
    return max(0, size), sound, images


def sound_bytes(encoded: str) -> int:
    """Return how many bytes of sound a base64 text holds at most."""
    return (len(encoded) + 3) // 4 * 3


def most(price: Price, bound: Bound) -> int:
    """Return the most nano-USD that a response within `bound` costs at `price`: each token in its dearest kind."""
    found = [_most_at(price, price.units or {}, bound)]
    if price.long is not None:
        found.append(_most_at(price.long, (price.units if price.long.units is None else price.long.units) or {}, bound))
    return price.request + settle(max(found))


def _most_at(rates: Price | LongRates, units: Mapping[str, int], bound: Bound) -> int:
    """Return the same in nano-USD × 1,000,000, at one of a price's rates."""
    text = max(rates.input, rates.cached_input or 0, rates.cache_write or 0)
    audio, image = (
        max(units.get(f"input_{kind}_tokens", text), units.get(f"cached_{kind}_tokens", 0))
        for kind in ("audio", "image")
    )
    spoken = max(rates.output, units.get("output_audio_tokens", 0), units.get("output_image_tokens", 0))
    by_rate = max(text, audio, image) * bound.audio + max(text, image) * bound.image + text * bound.text
    return by_rate + spoken * bound.output + bound.seconds * units.get("seconds", 0)


def usage_of(told: Any) -> Usage | None:
    """Read the usage of a response; None when it says nothing.

    `input_tokens` hold cached ones, `audio_tokens` too (openai 3.54.0, `types/realtime/realtime_response_usage.py`).
    A cached token whose kind is not told counts as text, so that it is not charged too low.
    """
    if not isinstance(told, dict):
        return None
    prompt, made = _count(told, "input_tokens"), _count(told, "output_tokens")
    if not prompt and not made:
        return None
    read, spoken = _object(told, "input_token_details"), _object(told, "output_token_details")
    kept = _object(read, "cached_tokens_details")
    cached = min(_count(read, "cached_tokens"), prompt)
    units: dict[str, int] = {}
    for kind in ("audio", "image"):
        whole = min(_count(read, f"{kind}_tokens"), prompt)
        before = min(_count(kept, f"{kind}_tokens"), whole, cached)
        units[f"input_{kind}_tokens"] = whole - before
        units[f"cached_{kind}_tokens"] = before
    units["output_audio_tokens"] = min(_count(spoken, "audio_tokens"), made)
    return Usage(prompt, cached, 0, made, 0, {name: count for name, count in units.items() if count} or None)


def transcription_usage_of(told: Any) -> Usage | None:
    """Read the usage of a transcription, in tokens or in seconds (`UsageTranscriptTextUsage…`); None: it says nothing."""
    if not isinstance(told, dict):
        return None
    if told.get("type") == "duration":
        seconds = told.get("seconds")
        whole = -int(-seconds // 1) if isinstance(seconds, int | float) and 0 < seconds < 1 << 30 else 0
        return Usage(units={"seconds": whole}) if whole else None
    prompt, made = _count(told, "input_tokens"), _count(told, "output_tokens")
    heard = min(_count(_object(told, "input_token_details"), "audio_tokens"), prompt)
    return Usage(prompt, 0, 0, made, 0, {"input_audio_tokens": heard} if heard else None) if prompt or made else None


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _count(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    return value if type(value) is int and 0 < value < 1 << 40 else 0
