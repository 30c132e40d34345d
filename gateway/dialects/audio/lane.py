"""Forms with a recording to providers that take OpenAI's, and what they answer: text in one piece, or as a stream."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.dialects.audio.transcription import JSON_FORMATS, TEXT_FORMATS, TOKENS_A_SECOND, format_of, played_by
from gateway.dialects.audio.usage import told_seconds, usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.multipart import form_of
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.parameters import unsupported
from gateway.dialects.profiles import profile_of
from gateway.dialects.relayed import RelayedStream
from gateway.dialects.shapes import answered
from gateway.dialects.sse import data_of, events
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage

CHARACTERS_A_TOKEN = 3
MOST_SAID_BYTES = 60  # of text in a second: nobody speaks faster, whatever a file says of its length
MOST_HELD = 16 << 20  # bytes of an answer in one piece where a stream was asked for
EVENTS = (b"data:", b"event:", b":")  # how a stream begins
_TEXT = b"text/plain; charset=utf-8"
_CUE = re.compile(rb"--> ?(?:(\d{2,4}):)?(\d\d):(\d\d)[.,]\d{3}")
_DELTA = re.compile(rb'"(?:delta|content)"\s*:\s*"((?:[^"\\]|\\.)+)"')
_WRITTEN = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)+)"')


class TranscriptionLane:
    """See `Lane`."""

    def __init__(
        self,
        path: str,
        place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path,
        least_seconds: int = 0,
    ) -> None:
        """`path`: of the operation; `place` returns where it stands below the base URL of a deployment."""
        self._path, self._place, self._least = path, place, least_seconds

    def at(self, deployment: DeploymentPolicy) -> "TranscriptionLane":
        """Return the way to a deployment whose provider bills a recording from some length on."""
        least = profile_of(deployment).least_seconds
        return TranscriptionLane(self._path, self._place, least) if least else self

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        form, taken = form_of(request), profile_of(deployment).form_fields
        dropped = []
        for part in form.parts if taken else ():
            if part.name in taken:
                continue
            if part.name != "response_format" or form.value(part.name) != "json":
                raise unsupported(part.name[:60], "the provider of this model is not known to have it. Leave it out.")
            dropped.append(part.name)
        body = form.replaced({"model": deployment.upstream_model.encode()}, dropped)
        accept = "text/event-stream" if request.streamed else "*/*"
        path = self._place(deployment, self._path)
        return Outbound(path, body, {"content-type": form.content_type, "accept": accept})

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        wanted, answer = format_of(form_of(request)), answered(body) if body.lstrip()[:1] == b"{" else None
        if answer is not None and (answer.get("error") or wanted in JSON_FORMATS):
            return self._read(request, body, answer)
        if wanted not in TEXT_FORMATS:
            return None
        seconds = max(self._seconds(request), _last_cue_s(body), len(body) // MOST_SAID_BYTES)
        return Whole(body, _reckoned(seconds, len(body)), content_type=_TEXT)

    def stream(self, request: ParsedRequest) -> "TranscriptStream":
        """See `Lane.stream`."""
        return TranscriptStream(self._seconds(request), partial(self.whole, request))

    def _seconds(self, request: ParsedRequest) -> int:
        return max(played_by(request), self._least)

    def _read(self, request: ParsedRequest, body: bytes, answer: dict[str, Any]) -> Whole:
        usage = usage_of(answer.get("usage"), self._seconds(request))
        if error := answer.get("error"):
            return Whole(body, usage, as_detail(error), status_of(error))
        if usage is None:
            played = told_seconds(answer.get("duration"))
            written = len(str(answer.get("text", "")).encode("utf-8", "replace"))
            usage = _reckoned(self._seconds(request), written)
            if played is not None:
                usage = Usage(units={"seconds": max(played, self._least)})
        return Whole(body, usage)


class TranscriptStream(RelayedStream):
    """See `Stream`. OpenAI ends with `transcript.text.done`, Mistral with `transcription.done`, vLLM with `[DONE]`.

    Whisper passes over a wish for a stream (openai 3.54.0, types/audio/transcription_create_params.py): what comes in one
    piece is held until it is whole, and passed on.
    """

    __slots__ = ("_begun", "_held", "_seconds", "_whole")

    reads = re.compile(rb'"transcript(?:\.text|ion)\.done"|"error"\s*:\s*[{"]|"usage"\s*:\s*\{|data: ?\[DONE\]')

    def __init__(self, seconds: int, whole: Callable[[bytes], Whole | None]) -> None:
        """`seconds`: how long the recording plays, as far as that is known. `whole` reads an answer in one piece."""
        super().__init__(find=_deltas)
        self._seconds, self._whole = seconds, whole
        self._begun: bytes | None = b""  # too few bytes yet to say what comes
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        if self._held:
            return self._hold(data)
        if self._begun is not None:
            self._begun += data
            lead = self._begun.lstrip()
            if any(len(lead) < len(begin) and begin.startswith(lead) for begin in EVENTS):
                return b""
            data, self._begun = self._begun, None
            if not lead.startswith(EVENTS):
                return self._hold(data)
        return super().feed(data)

    def end(self) -> bytes:
        """See `Stream.end`."""
        if not self._held:
            return super().end()
        answer = self._whole(bytes(self._held))
        if answer is None:
            return b""
        self.usage, self.error = answer.usage, answer.error
        self.done = answer.error is None
        return answer.body if self.done else b""

    def read(self, block: bytes) -> bytes:
        """See `RelayedStream.read`."""
        kept = []
        for event in events(block):
            data = data_of(event)
            said = answered(data) or {}
            if said.get("error"):
                self.error = said["error"]
                break
            self.usage = usage_of(said.get("usage"), self._seconds) or self.usage
            kind = said.get("type")
            self.done = self.done or data == b"[DONE]" or kind in ("transcript.text.done", "transcription.done")
            kept.append(event)
        return b"".join(kept)

    def _hold(self, data: bytes) -> bytes:
        if len(self._held) + len(data) > MOST_HELD:
            self.error = {"message": "The provider's answer is too long to be passed on in one piece."}
        else:
            self._held += data
        return b""


def _reckoned(seconds: int, written: int) -> Usage:
    """Return what a recording took where its provider does not say."""
    sound = seconds * TOKENS_A_SECOND
    return Usage(
        sound,
        output_tokens=written // CHARACTERS_A_TOKEN + 1,
        units={"seconds": seconds, "input_audio_tokens": sound},
        estimated=("tokens", "seconds"),
    )


def _last_cue_s(body: bytes) -> int:
    """Return when the last line of subtitles ends: what was recorded is no shorter."""
    last = 0
    for hours, minutes, seconds in _CUE.findall(body[-4096:]):
        last = max(last, int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds))
    return last


def _deltas(block: bytes) -> list[bytes]:
    """Return what was written anew in a block of events: the last one says it all again."""
    text = b"".join(event for event in events(block) if b'.done"' not in event)
    return _DELTA.findall(text) or _WRITTEN.findall(text)
