"""What a session's settings mean for its cost: who may begin a response, how long it may be, how sound is coded. Pure.

The client's settings hold once the provider has taken them, so until then the old and the new may be in force: the dearer
of both counts. Sources: openai 3.54.0, `types/realtime/realtime_session_create_request.py`, `realtime_audio_formats.py`
and `realtime_audio_input_turn_detection.py`.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.errors import RequestError
from gateway.realtime.events import CAPS, transcription_in

MOST_ASKED = 32
PCM = frozenset({"audio/pcm", "pcm16", None})


@dataclass(frozen=True, slots=True)
class Said:
    """What one settings object says. None: nothing about that."""

    automatic: bool | None = None  # the provider may begin a response by itself
    cap: int | None = None  # most output tokens of a response; 0: no bound
    transcribed: bool | None = None
    pcm_in: bool | None = None  # 16 bits at 24 kHz; else a sixth of the bytes, G.711
    pcm_out: bool | None = None
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of what is part of each prompt


def said_in(session: dict[str, Any], raw_sizes: dict[str, int]) -> Said:
    """Read a settings object of either side, in the names of either time."""
    automatic = cap = transcribed = None
    audio = session.get("audio")
    heard, spoken = ((audio.get(side) if isinstance(audio, dict) else None) for side in ("input", "output"))
    for place in (heard, session):
        if isinstance(place, dict) and "turn_detection" in place:
            automatic = _begins(place["turn_detection"])
    for name in CAPS:
        if name in session:
            cap = session[name] if type(session[name]) is int else 0
    if "input_audio_transcription" in session or (isinstance(heard, dict) and "transcription" in heard):
        transcribed = transcription_in(session) is not None
    return Said(
        automatic,
        cap,
        transcribed,
        _pcm(heard, session, "input_audio_format"),
        _pcm(spoken, session, "output_audio_format"),
        raw_sizes,
    )


def sizes_in(session: dict[str, Any]) -> dict[str, int]:
    """Return the bytes of what of a settings object is part of each prompt."""
    return {name: len(msgspec.json.encode(session[name])) for name in ("instructions", "tools") if session.get(name)}


class Settings:
    """The settings of a session, as far as they are known."""

    def __init__(self, most: int) -> None:
        """`most`: the output tokens of a response that is asked for without a cap, 0 where that is not known."""
        self._most = most
        self._confirmed = Said(automatic=True, cap=0, transcribed=False, pcm_in=True, pcm_out=True)
        self._asked: dict[str, Said] = {}  # by the event's id, in the order of asking, and not confirmed yet
        self._sizes: dict[str, int] = {}

    def asked(self, event_id: str, said: Said) -> None:
        """Take note of settings that the client asks for. Raises RequestError for too many at a time."""
        if len(self._asked) >= MOST_ASKED or event_id in self._asked:
            raise RequestError(
                f"Up to {MOST_ASKED} changes of the session, each with an event id of its own, may wait for session.updated.",
                param="event_id",
            )
        self._asked[event_id] = said
        self._grow(said)

    def refused(self, event_id: str) -> None:
        """Take note that the provider did not take the settings of an event."""
        self._asked.pop(event_id, None)

    def confirmed(self, said: Said) -> None:
        """Take note of what the provider says is in force. It answers in the order of asking."""
        old = self._confirmed
        self._confirmed = Said(
            old.automatic if said.automatic is None else said.automatic,
            old.cap if said.cap is None else said.cap,
            old.transcribed if said.transcribed is None else said.transcribed,
            old.pcm_in if said.pcm_in is None else said.pcm_in,
            old.pcm_out if said.pcm_out is None else said.pcm_out,
        )
        self._grow(said)
        if self._asked:
            del self._asked[next(iter(self._asked))]

    @property
    def automatic(self) -> bool:
        """Whether the provider may begin a response by itself."""
        return any(said.automatic for said in (self._confirmed, *self._asked.values()))

    @property
    def transcribed(self) -> bool:
        """Whether what is heard is transcribed."""
        return any(said.transcribed for said in (self._confirmed, *self._asked.values()))

    @property
    def cap(self) -> int:
        """The most output tokens of a response; 0: not known."""
        return self.cap_with()

    def cap_with(self, *more: Said) -> int:
        """Return the same, for the case that these settings come into force, too."""
        caps = [said.cap for said in (self._confirmed, *self._asked.values(), *more) if said.cap is not None]
        return max([one or self._most for one in caps]) if self._most or 0 not in caps else 0

    @property
    def pcm_in(self) -> bool:
        """Whether all sound comes in as PCM."""
        return all(said.pcm_in is not False for said in (self._confirmed, *self._asked.values()))

    @property
    def pcm_out(self) -> bool:
        """Whether all sound goes out as PCM."""
        return all(said.pcm_out is not False for said in (self._confirmed, *self._asked.values()))

    @property
    def size(self) -> int:
        """Bytes of instructions and tools, the longest of each that there were."""
        return sum(self._sizes.values())

    def _grow(self, said: Said) -> None:
        for name, size in said.sizes.items():
            self._sizes[name] = max(size, self._sizes.get(name, 0))


def _begins(detection: object) -> bool:
    """Say whether with such a turn detection the provider may begin a response by itself. Unless told, it does."""
    if not isinstance(detection, dict):
        return detection is not None
    return detection.get("create_response") is not False or detection.get("idle_timeout_ms") is not None


def _pcm(place: object, session: dict[str, Any], name: str) -> bool | None:
    if isinstance(place, dict) and "format" in place:
        told = place["format"]
        return told is None or (isinstance(told, dict) and told.get("type") in PCM)
    return session[name] in PCM if name in session else None
