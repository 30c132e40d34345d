"""Writes canonical events as a stream for a client of Gemini's: server-sent events, or one JSON array."""

from typing import Any

import msgspec

from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.gemini.answers import arguments_of, candidate, frame, written_part
from gateway.dialects.gemini.logprobs import written_logprobs
from gateway.dialects.gemini.usage import reason_of, written_usage
from gateway.types import Usage


class Framing:
    """Puts chunks on the wire: each as an event, or all as the elements of an array."""

    __slots__ = ("_array", "_first")

    def __init__(self, *, array: bool) -> None:
        self._array = array
        self._first = True

    def chunk(self, data: bytes) -> bytes:
        """Return one chunk."""
        if not self._array:
            return b"data: " + data + b"\r\n\r\n"
        lead, self._first = b"[" if self._first else b",\r\n", False
        return lead + data

    def end(self) -> bytes:
        """Return what ends a stream that is complete."""
        return (b"[]" if self._first else b"\r\n]") if self._array else b""


class GeminiWriter:
    """See `EventWriter`. A call is written whole, since Gemini's clients know no pieces of one."""

    def __init__(self, *, array: bool, thoughts: bool) -> None:
        self._framing = Framing(array=array)
        self._thoughts = thoughts
        self._id = self._model = ""
        self._calls: dict[tuple[int, int], tuple[ToolCall, list[str]]] = {}
        self._thinking: set[tuple[int, int]] = set()
        self._stops: dict[int, str] = {}
        self._usage: Usage | None = None

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._event(event) for event in events])

    def _event(self, event: Event) -> bytes:
        if isinstance(event, Begun):
            self._id, self._model = event.id, event.model
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Delta):
            return self._more(event)
        elif isinstance(event, Ended):
            return self._end(event)
        elif isinstance(event, Stopped):
            self._stops[event.choice] = self._stops.get(event.choice) or reason_of(event.stop)
        elif isinstance(event, Used):
            self._usage = event.usage
        elif isinstance(event, Finished):
            return self._finish()
        return b""

    def _start(self, event: Started) -> None:
        place = event.choice, event.index
        if isinstance(event.part, ToolCall):
            self._calls[place] = event.part, [event.part.arguments]
        elif isinstance(event.part, Thinking):
            self._thinking.add(place)

    def _more(self, event: Delta) -> bytes:
        place = event.choice, event.index
        if place in self._calls:
            self._calls[place][1].append(event.text)
            return b""
        part = Thinking(event.text) if place in self._thinking else Text(event.text)
        written = written_part(part, thoughts=self._thoughts)
        if written is None:
            return b""
        made = candidate([written], event.choice)
        if event.logprobs is not None:
            made["logprobsResult"] = written_logprobs(event.logprobs)
        return self._chunk([made])

    def _end(self, event: Ended) -> bytes:
        call, pieces = self._calls.pop((event.choice, event.index), (None, []))
        if call is None:
            return b""
        arguments = "".join(pieces)
        if arguments_of(arguments) is None:
            self._stops[event.choice] = "MALFORMED_FUNCTION_CALL"
            return b""
        written = written_part(ToolCall(call.id, call.name, arguments, call.signature), thoughts=True)
        return self._chunk([candidate([written or {}], event.choice)])

    def _finish(self) -> bytes:
        last = [candidate([], choice, reason) for choice, reason in sorted(self._stops.items())]
        extra = {} if self._usage is None else {"usageMetadata": written_usage(self._usage)}
        return self._chunk(last, extra) + self._framing.end()

    def _chunk(self, candidates: list[dict[str, Any]], extra: dict[str, Any] | None = None) -> bytes:
        return self._framing.chunk(msgspec.json.encode(frame(self._id, self._model, candidates) | (extra or {})))
