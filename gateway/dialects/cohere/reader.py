"""Reads a streamed chat of Cohere's into canonical events, however the network cut it."""

from typing import Any

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
from gateway.dialects.cohere.answer import BY, STOPS, call_of
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.shapes import answered, counted, said
from gateway.dialects.sse import EventBuffer, data_of, events

MAX_EVENT = 8 << 20  # bytes; a text may come as one event
PLAN = "tool-plan", 0  # it has no index, nor a start and an end


class CohereReader:
    """See `EventReader`. Content and calls of tools are numbered apart, and come one after the other."""

    def __init__(self) -> None:
        self._buffer = EventBuffer(MAX_EVENT)
        self._parts = 0
        self._open: tuple[str, int] | None = None  # kind and the provider's index of the part that is open
        self._empty = False  # it is a call whose arguments have not begun
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """See `EventReader.feed`."""
        block = self._buffer.feed(data)
        if self._buffer.inside:
            return self._fail(f"The provider sent an event of more than {MAX_EVENT >> 20} MiB.")
        return self._read(block)

    def end(self) -> list[Event]:
        """See `EventReader.end`. A chat without `message-end` is not complete."""
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
        kind, delta = said(given.get("type")), given.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        message = delta.get("message")
        message = message if isinstance(message, dict) else {}
        index = counted(given, "index")
        match kind:
            case "message-start":
                return [Begun(said(given.get("id")), "")]
            case "content-start" | "content-delta":
                return self._content(index, message.get("content"))
            case "tool-plan-delta":
                plan = said(message.get("tool_plan"))
                return [*self._start(PLAN, Text("")), Delta(self._parts - 1, plan)] if plan else []
            case "tool-call-start" | "tool-call-delta":
                return self._call(kind, index, message.get("tool_calls"))
            case "content-end":
                return self._end() if self._open == ("content", index) else []
            case "tool-call-end":
                return self._end() if self._open == ("call", index) else []
            case "message-end":
                return self._finish(delta)
            case "":
                return self._fail(said(given.get("message")) or "The provider sent an event without a type.")
        return []  # citations, which no client has a word for, and what came to be later

    def _content(self, index: int, content: object) -> list[Event]:
        block: dict[str, Any] = content if isinstance(content, dict) else {}
        thought, text = said(block.get("thinking")), said(block.get("text"))
        if not thought and not text and "type" not in block:
            return []
        thinks = bool(thought) or block.get("type") == "thinking"
        begun = self._start(("content", index), Thinking(by=BY) if thinks else Text(""))
        return [*begun, Delta(self._parts - 1, thought or text)] if thought or text else begun

    def _call(self, kind: str, index: int, given: object) -> list[Event]:
        call: dict[str, Any] = given if isinstance(given, dict) else {}
        if kind == "tool-call-start":
            read = call_of(call)
            arguments, read.arguments = read.arguments, ""
            begun = [*self._end(), *self._start(("call", index), read)]
            self._empty = arguments == "{}"
            return begun if self._empty else [*begun, Delta(self._parts - 1, arguments)]
        if self._open != ("call", index):
            return self._fail("The provider goes on with a tool call that was complete.")
        function = call.get("function")
        more = said(function.get("arguments")) if isinstance(function, dict) else ""
        self._empty = self._empty and not more
        return [Delta(self._parts - 1, more)] if more else []

    def _start(self, key: tuple[str, int], part: Text | Thinking | ToolCall) -> list[Event]:
        """Return that a part begins, and the one before it ends, unless it is open."""
        if self._open == key:
            return []
        ended = self._end()
        self._open, self._parts = key, self._parts + 1
        return [*ended, Started(self._parts - 1, part)]

    def _end(self) -> list[Event]:
        if self._open is None:
            return []
        empty, self._open, self._empty = self._empty, None, False
        index = self._parts - 1
        return [Delta(index, "{}"), Ended(index)] if empty else [Ended(index)]

    def _finish(self, delta: dict[str, Any]) -> list[Event]:
        self._over = True
        usage = usage_of(delta.get("usage"))
        used: list[Event] = [] if usage is None else [Used(usage)]
        if error := said(delta.get("error")):
            return [*used, Failed({"message": error, "type": "api_error"})]
        stop = STOPS.get(said(delta.get("finish_reason")), "filtered")
        return [*self._end(), *used, Stopped(stop), Finished()]
