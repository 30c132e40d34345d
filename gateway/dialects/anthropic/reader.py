"""Reads a streamed message of a provider into canonical events, however the network cut it."""

from typing import Any

from gateway.dialects.anthropic.answer import read_block, stop_of
from gateway.dialects.anthropic.errors import error_of
from gateway.dialects.anthropic.usage import merged, tells_output, usage_of
from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.shapes import answered, counted, said
from gateway.dialects.sse import EventBuffer, data_of, events

MAX_EVENT = 8 << 20  # bytes; a text may come as one event
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class MessagesReader:
    """See `EventReader`."""

    def __init__(self) -> None:
        self._buffer = EventBuffer(MAX_EVENT)
        self._usage: dict[str, Any] = {}
        self._open: dict[
            int, tuple[int, Text | Thinking | ToolCall]
        ] = {}  # by the provider's index: ours, and the part
        self._empty: set[int] = set()  # calls whose arguments have not begun
        self._parts = 0
        self._stopped = self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """See `EventReader.feed`."""
        block = self._buffer.feed(data)
        if self._buffer.inside:
            return self._fail(f"The provider sent an event of more than {MAX_EVENT >> 20} MiB.")
        return self._read(block)

    def end(self) -> list[Event]:
        """See `EventReader.end`. A message without `message_stop` is not complete."""
        rest = self._buffer.rest()
        return self._read(rest + b"\n\n") if rest.strip() else []

    def _read(self, block: bytes) -> list[Event]:
        found: list[Event] = []
        for event in events(block):
            data = data_of(event)
            if data and not self._over:
                given = answered(data)
                found += (
                    self._fail("The provider sent an event that is not JSON.") if given is None else self._one(given)
                )
        return found

    def _fail(self, message: str) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return [Failed({"message": message, "type": "api_error"})]

    def _one(self, given: dict[str, Any]) -> list[Event]:
        kind = given.get("type")
        if kind == "content_block_delta":
            return self._delta(given)
        if kind == "content_block_start":
            return self._start(given)
        if kind == "content_block_stop":
            return self._stop(given)
        if kind == "message_start":
            return self._begin(given.get("message"))
        if kind == "message_delta":
            return self._end(given)
        if kind == "message_stop":
            self._over = True
            return [Finished()] if self._stopped else [Stopped("end"), Finished()]
        if kind == "error":
            self._over = True
            return [Failed(*error_of(given.get("error")))]
        return []  # a ping, or what came to be later

    def _begin(self, message: object) -> list[Event]:
        given = message if isinstance(message, dict) else {}
        self._usage = merged({}, given.get("usage"))
        # what was used is said once the answer's length is known, so that a stream that breaks is counted
        return [Begun(said(given.get("id")), said(given.get("model")), usage_of(self._usage))]

    def _start(self, given: dict[str, Any]) -> list[Event]:
        block = given.get("content_block")
        part = read_block(block) if isinstance(block, dict) else None
        if part is None:
            return []
        index = counted(given, "index")
        ours, self._parts = self._parts, self._parts + 1
        self._open[index] = ours, part
        if isinstance(part, ToolCall) and part.arguments == "{}":
            part.arguments = ""  # it comes in pieces
            self._empty.add(index)
        return [Started(ours, part)]

    def _delta(self, given: dict[str, Any]) -> list[Event]:
        index, delta = counted(given, "index"), given.get("delta")
        if index not in self._open or not isinstance(delta, dict):
            return []
        ours = self._open[index][0]
        kind = said(delta.get("type"))
        if kind == "signature_delta":
            return [Delta(ours, signature=said(delta.get("signature")))]
        text = said(delta.get(DELTAS.get(kind, "")))
        if not text:
            return []
        self._empty.discard(index)
        return [Delta(ours, text)]

    def _stop(self, given: dict[str, Any]) -> list[Event]:
        index = counted(given, "index")
        if index not in self._open:
            return []
        ours, _ = self._open.pop(index)
        if index in self._empty:
            self._empty.discard(index)
            return [Delta(ours, "{}"), Ended(ours)]
        return [Ended(ours)]

    def _end(self, given: dict[str, Any]) -> list[Event]:
        delta = given.get("delta")
        found: list[Event] = []
        if tells_output(given.get("usage")):
            self._usage = merged(self._usage, given["usage"])
            usage = usage_of(self._usage)
            found += [] if usage is None else [Used(usage)]
        if isinstance(delta, dict) and delta.get("stop_reason") and not self._stopped:
            self._stopped = True
            found.append(Stopped(*stop_of(delta)))
        return found
