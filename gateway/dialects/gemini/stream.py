"""A streamed Gemini answer of a provider that speaks Gemini, on its way to a client that does: its chunks are not changed."""

import re
from typing import Any

import msgspec

from gateway.dialects.gemini.answers import parts_of
from gateway.dialects.gemini.reader import MAX_EVENT
from gateway.dialects.gemini.usage import blocked, usage_of
from gateway.dialects.gemini.writer import Framing
from gateway.dialects.openai_usage import Collector
from gateway.dialects.shapes import answered, listed
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

_TELLING = re.compile(rb'"(?:finishReason|blockReason|error|functionCall)"\s*:')
_TELLING_FIRST = re.compile(rb'"(?:finishReason|blockReason|error|functionCall|promptTokenCount)"\s*:')


class GeminiStream:
    """See `Stream`. Each chunk counts what was made by then, so usage is known once all candidates have stopped.

    The stream is done when the provider ends it after that: nothing in it says which chunk is the last.
    """

    __slots__ = (
        "_array", "_buffer", "_choices", "_collector", "_each", "_framing", "_stopped", "done", "error", "prompt_usage", "usage",
    )  # fmt: skip

    def __init__(self, choices: int, *, array: bool) -> None:
        """`array`: the client gets the chunks as one JSON array; else the provider's own events."""
        self._buffer = EventBuffer(MAX_EVENT)
        self._collector = Collector()
        self._array, self._framing = array, Framing(array=array)
        self._choices = choices
        self._each = choices > 1  # read every chunk, not those alone that tell something
        self._stopped: dict[int, bool] = {}  # by candidate
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        return self._pass(self._buffer.feed(data))

    def end(self) -> bytes:
        """See `Stream.end`."""
        rest = self._buffer.rest()
        passed = self._pass(rest + b"\n\n") if rest.strip() else b""
        self.done = self.error is None and self._all_stopped
        return passed + self._framing.end() if self.done else passed

    def cut(self) -> bytes:
        """Nothing but whole events was passed on."""
        return b""

    @property
    def made(self) -> int:
        """See `Stream.made`."""
        return self._collector.size

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return self._collector.collect()

    @property
    def _all_stopped(self) -> bool:
        return len(self._stopped) >= self._choices and all(self._stopped.values())

    def _pass(self, block: bytes) -> bytes:
        if self._buffer.inside and self.error is None:
            self.error = {"message": f"The provider sent an event of more than {MAX_EVENT >> 20} MiB."}
        if self.error is not None or not block:
            return b""
        telling = _TELLING if self.prompt_usage is not None else _TELLING_FIRST
        if not self._array and not self._each and telling.search(block) is None:
            self._collector.add(block)
            return block
        kept = []
        for event in events(block):
            data = data_of(event)
            if data and (self._each or telling.search(data)):
                self._read(data)
                if self.error is not None:
                    break
            kept.append(event if not self._array else self._framing.chunk(data) if data else b"")
        self._collector.add(b"".join(kept))
        return b"".join(kept)

    def _read(self, data: bytes) -> None:
        chunk = answered(data)
        if chunk is None:
            self.error = {"message": "The provider sent an event that is not a JSON object."}
            return
        if chunk.get("error"):
            self.error = chunk["error"]
            return
        told = usage_of(chunk.get("usageMetadata"))
        self.prompt_usage = told or self.prompt_usage
        for candidate in listed(chunk.get("candidates")):
            index = candidate.get("index")
            number = index if isinstance(index, int) else 0
            self._stopped[number] = bool(candidate.get("finishReason")) or self._stopped.get(number, False)
            self._collect_calls(candidate)
        if blocked(chunk):  # even where something of an answer has come by then
            self._stopped = dict.fromkeys(range(self._choices), True)
        if self._all_stopped:
            self._each = True  # usage may come on its own, after the last word
            self.usage = told or self.usage

    def _collect_calls(self, candidate: dict[str, Any]) -> None:
        """Keep the arguments of calls for counting: they are no text, so the collector does not find them."""
        for fragment in call_fragments(candidate):
            self._collector.add(b'"arguments":' + fragment)


def call_fragments(candidate: dict[str, Any]) -> list[bytes]:
    """Return the arguments of a candidate's calls as JSON texts in JSON texts."""
    calls = [call for part in parts_of(candidate) if isinstance(call := part.get("functionCall"), dict)]
    return [msgspec.json.encode(msgspec.json.encode(call.get("args") or {}).decode()) for call in calls]
