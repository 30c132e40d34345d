"""Speech on its way to the client: sound as it comes, or the events that hold it; measured where nobody says its tokens."""

import base64
import binascii
from math import ceil
from typing import Any

import msgspec

from gateway.dialects.audio.duration import played_s
from gateway.dialects.audio.usage import tokens_of
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

# One token for each 50 ms of what is spoken ("Managing costs", OpenAI's guide to Realtime). 268 seconds by gpt-4o-mini-tts
# were billed as about 5,260 tokens, and 877 tokens of text (s-anand.net, "OpenAI TTS cost", November 2025).
TOKENS_A_SECOND = 20
BYTES_A_TOKEN = 3  # of the text; English has more
HEAD_BYTES = 64 << 10  # what is kept to tell how many bytes a second takes
PCM_BITRATE = 24_000 * 16  # "pcm": 24 kHz, 16 bits, one channel, without a head (OpenAI's guide to text to speech)
UNKNOWN_BITRATE = 24_000  # nothing that is sold for speech takes fewer bits a second
_EVENTS = (b"data:", b"event:", b":")


class Measure:
    """How long a sound plays that passes by: by its bytes, and by what its first ones say of the rest."""

    __slots__ = ("_form", "_head", "_most_s", "size")

    def __init__(self, form: str, most_s: float) -> None:
        """`form`: of OpenAI's `response_format`; `most_s`: how long it is at most, where nothing tells."""
        self._form, self._most_s = form, most_s
        self._head, self.size = bytearray(), 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += data[:room]

    @property
    def seconds(self) -> float:
        """How long it plays so far. Where nothing tells, at most."""
        if self._form == "pcm":
            return self.size * 8 / PCM_BITRATE
        known = played_s(self._head)
        if not known:
            return min(self.size * 8 / UNKNOWN_BITRATE, self._most_s)
        if played_s(self._head[: len(self._head) // 2]) == known:
            return known  # its container tells how long the whole is
        return known * self.size / len(self._head)


class SpeechStream:
    """See `Stream`. `usage` is what the provider said, else what passed by until then, once anything has."""

    __slots__ = (
        "_buffer", "_characters", "_event_form", "_first", "_measure", "_prompt_tokens", "_told",
        "done", "error", "prompt_usage",
    )  # fmt: skip

    def __init__(self, *, events: bool, form: str, characters: int, prompt_bytes: int, most_tokens: int) -> None:
        """`events`: the client asked for events. `characters` are billed, `prompt_bytes` are read, `most_tokens` made."""
        self._event_form: bool | None = None if events else False  # None: the first bytes say
        self._first = b""  # too few bytes yet to say
        self._measure = Measure(form, most_tokens / TOKENS_A_SECOND)
        self._buffer = EventBuffer()
        self._characters = characters
        self._prompt_tokens = prompt_bytes // BYTES_A_TOKEN + 1
        self._told: Usage | None = None
        self.prompt_usage: Usage | None = None
        self.done = False
        self.error: object = None

    @property
    def usage(self) -> Usage | None:
        """See `Stream.usage`."""
        if self._told is not None or not self._measure.size:
            return self._told
        made = ceil(self._measure.seconds * TOKENS_A_SECOND)
        return self._used(self._prompt_tokens, made, ("tokens",))

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        if self._event_form is None:  # some answer with sound whatever was asked for
            data, self._first = self._first + data, b""
            lead = data.lstrip()
            if any(len(lead) < len(begin) and begin.startswith(lead) for begin in _EVENTS):
                self._first = data
                return b""
            self._event_form = lead.startswith(_EVENTS)
        if not self._event_form:
            self._measure.add(data)
            return data
        return b"" if self.error is not None else self._read(self._buffer.feed(data))

    def end(self) -> bytes:
        """See `Stream.end`. Sound has no last word: that its body was complete is its end."""
        if not self._event_form:
            self._measure.add(self._first)
            self.done = self._measure.size > 0
            return self._first
        rest, inside = self._buffer.rest(), self._buffer.inside
        return rest if inside or not rest.strip() else self._read(rest + b"\n\n")

    def cut(self) -> bytes:
        """See `Stream.cut`."""
        return b"\n\n" if self._event_form and self._buffer.inside else b""

    @property
    def made(self) -> int:
        """See `Stream.made`: nothing that could be counted as text."""
        return 0

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return []

    def _read(self, block: bytes) -> bytes:
        """Take note of what whole events say; return those before an error.

        openai 3.54.0 has no types for them; they are `speech.audio.delta` (`audio`) and `speech.audio.done` (`usage`) in
        OpenAI's description of its API, "CreateSpeechResponseStreamEvent".
        """
        kept = []
        for event in events(block):
            said = _object(data_of(event))
            if said.get("error"):
                self.error = said["error"]
                break
            kind = said.get("type")
            if kind == "speech.audio.delta":
                self._measure.add(_sound(said.get("audio")))
            elif kind == "speech.audio.done" or data_of(event) == b"[DONE]":
                told = said.get("usage")
                tokens = tokens_of(told) if isinstance(told, dict) else None
                if tokens is not None:
                    self._told = self._used(tokens.input_tokens, tokens.output_tokens, ())
                self.done = True
            kept.append(event)
        return b"".join(kept)

    def _used(self, read: int, made: int, estimated: tuple[str, ...]) -> Usage:
        units = {"characters": self._characters, "output_audio_tokens": made}
        return Usage(read, output_tokens=made, units=units, estimated=estimated)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _sound(text: object) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""
