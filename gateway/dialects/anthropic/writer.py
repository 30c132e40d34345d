"""Writes a streamed answer as the events of a message."""

from typing import Any

import msgspec

from gateway.dialects.anthropic.answer import REASONS, message_of, written_block
from gateway.dialects.anthropic.content import DIALECT
from gateway.dialects.anthropic.usage import written_usage
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
from gateway.types import Usage


class MessagesWriter:
    """See `EventWriter`. What a stream says last, why it stopped and what it used, is held until it is complete."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._stopped: Stopped | None = None
        self._blocks: dict[int, tuple[int, Text | Thinking | ToolCall]] = {}  # by our index: the number of the block

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Begun):
            self._usage = event.usage or Usage()
            return _event("message_start", {"message": message_of(event.id, event.model, self._usage)})
        if isinstance(event, Started):
            return self._start(event)
        if isinstance(event, Ended) and event.index in self._blocks:
            return _event("content_block_stop", {"index": self._blocks[event.index][0]})
        if isinstance(event, Stopped):
            self._stopped = event
        if isinstance(event, Used):
            self._usage = event.usage
        return self._end() if isinstance(event, Finished) else b""

    def _start(self, event: Started) -> bytes:
        part = event.part
        block = written_block(part)
        if block is None:
            return b""
        number = len(self._blocks)
        self._blocks[event.index] = number, part
        held = ""  # what is there already comes as the first delta
        if isinstance(part, ToolCall):
            held, block["input"] = part.arguments, {}
        elif isinstance(part, Text):
            held, block["text"] = part.text, ""
        elif not part.redacted:
            held, block["thinking"] = part.text, ""
        begun = _event("content_block_start", {"index": number, "content_block": block})
        return begun + (self._delta(Delta(event.index, held)) if held else b"")

    def _delta(self, event: Delta) -> bytes:
        if event.index not in self._blocks:
            return b""
        number, part = self._blocks[event.index]
        written = b""
        if event.text:
            kind, name = _DELTAS[type(part)]
            written = _event("content_block_delta", {"index": number, "delta": {"type": kind, name: event.text}})
        if event.signature and isinstance(part, Thinking) and part.by == DIALECT:
            delta = {"type": "signature_delta", "signature": event.signature}
            written += _event("content_block_delta", {"index": number, "delta": delta})
        return written

    def _end(self) -> bytes:
        stop = self._stopped or Stopped("end")
        delta = {"stop_reason": REASONS[stop.stop], "stop_sequence": stop.stop_sequence or None}
        ended = _event("message_delta", {"delta": delta, "usage": written_usage(self._usage)})
        return ended + _event("message_stop", {})


_DELTAS: dict[type, tuple[str, str]] = {
    Text: ("text_delta", "text"),
    Thinking: ("thinking_delta", "thinking"),
    ToolCall: ("input_json_delta", "partial_json"),
}


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"
