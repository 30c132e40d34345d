"""Writes a streamed answer as ConverseStream's frames."""

from typing import Any

import msgspec

from gateway.dialects.bedrock.eventstream import encoded
from gateway.dialects.bedrock.formats import BY, EXCEPTIONS, SIGNERS, WRITTEN_STOPS
from gateway.dialects.bedrock.usage import written_usage
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

JSON = "application/json"


class ConverseWriter:
    """See `EventWriter`."""

    def __init__(self) -> None:
        self._parts: dict[int, Text | Thinking | ToolCall] = {}
        self._usage: Usage | None = None

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Delta):
            return self._more(event.index, event.text, event.signature)
        if isinstance(event, Begun):
            self._usage = event.usage
            return frame("messageStart", {"role": "assistant"})
        if isinstance(event, Started):
            return self._begin(event.index, event.part)
        if isinstance(event, Ended):
            return frame("contentBlockStop", {"contentBlockIndex": event.index})
        if isinstance(event, Stopped):
            return frame("messageStop", {"stopReason": WRITTEN_STOPS[event.stop]})
        if isinstance(event, Used):
            self._usage = event.usage
        if isinstance(event, Finished):
            return frame("metadata", {"usage": written_usage(self._usage), "metrics": {"latencyMs": 0}})
        return b""

    def _begin(self, index: int, part: Text | Thinking | ToolCall) -> bytes:
        """Only calls of tools are announced; of others, what is known by now is their first piece."""
        self._parts[index] = part
        if isinstance(part, ToolCall):
            start = {"toolUse": {"toolUseId": part.id, "name": part.name}}
            begun = frame("contentBlockStart", {"start": start, "contentBlockIndex": index})
            return begun + self._more(index, part.arguments, "")
        if isinstance(part, Thinking):
            if part.redacted:
                if part.by != BY:
                    return b""
                return _delta(index, {"reasoningContent": {"redactedContent": part.redacted}})
            return self._more(index, part.text, part.signature)
        return self._more(index, part.text, "")

    def _more(self, index: int, text: str, signature: str) -> bytes:
        part = self._parts[index]
        if isinstance(part, ToolCall):
            return _delta(index, {"toolUse": {"input": text}}) if text else b""
        if isinstance(part, Thinking):
            told = _delta(index, {"reasoningContent": {"text": text}}) if text else b""
            if signature and part.by in SIGNERS:
                told += _delta(index, {"reasoningContent": {"signature": signature}})
            return told
        return _delta(index, {"text": text}) if text else b""


def frame(name: str, payload: dict[str, Any]) -> bytes:
    """Return an event."""
    headers = {":event-type": name, ":content-type": JSON, ":message-type": "event"}
    return encoded(headers, msgspec.json.encode(payload))


def failed(body: bytes) -> bytes:
    """Return the last frame of a stream that failed, of an error body (see `error_bodies`)."""
    kind = msgspec.json.decode(body, type=dict).get("__type", "")
    name = kind[:1].lower() + kind[1:]
    name = name if name in EXCEPTIONS else "modelStreamErrorException"
    return encoded({":exception-type": name, ":content-type": JSON, ":message-type": "exception"}, body)


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return frame("contentBlockDelta", {"delta": delta, "contentBlockIndex": index})
