"""Reads Converse answers, whole and streamed, into the canonical form."""

from typing import Any

import msgspec

from gateway.dialects.bedrock.eventstream import Frame, FrameBuffer
from gateway.dialects.bedrock.formats import BY, STOPS, exception_of
from gateway.dialects.bedrock.usage import usage_of
from gateway.dialects.canonical import (
    Answer,
    Begun,
    Choice,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Part,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.shapes import answered, listed, said


def read_answer(body: bytes) -> Answer | Failed | None:
    """Read a whole answer; it says neither its id nor its model. None when it is none."""
    given = answered(body)
    if given is None:
        return None
    output = given.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict):
        return Failed({"message": said(given.get("message"))}) if said(given.get("message")) else None
    parts = [part for block in listed(message.get("content")) if (part := _part(block)) is not None]
    choice = Choice(parts, STOPS.get(said(given.get("stopReason")), "filtered"))
    return Answer("", "", [choice], usage_of(given.get("usage")))


def _part(block: dict[str, Any]) -> Part | None:
    if text := said(block.get("text")):
        return Text(text)
    if isinstance(call := block.get("toolUse"), dict):
        arguments = msgspec.json.encode(call.get("input") or {}).decode()
        return ToolCall(said(call.get("toolUseId")), said(call.get("name")), arguments)
    if isinstance(thought := block.get("reasoningContent"), dict):
        if isinstance(told := thought.get("reasoningText"), dict):
            signature = said(told.get("signature"))  # Claude's alone: others do not sign
            return Thinking(said(told.get("text")), signature, by="anthropic" if signature else BY)
        if redacted := said(thought.get("redactedContent")):
            return Thinking(redacted=redacted, by=BY)
    if isinstance(cited := block.get("citationsContent"), dict):
        return Text("".join(said(piece.get("text")) for piece in listed(cited.get("content"))))
    return None


class ConverseReader:
    """See `EventReader`."""

    __slots__ = ("_buffer", "_open", "_stopped")

    def __init__(self) -> None:
        self._buffer = FrameBuffer()
        self._open: set[int] = set()
        self._stopped = False

    def feed(self, data: bytes) -> list[Event]:
        """See `EventReader.feed`. Raises UpstreamError where a frame is damaged."""
        return [event for frame in self._buffer.feed(data) for event in self._read(frame)]

    def end(self) -> list[Event]:
        """See `EventReader.end`. Only the usage may be missing."""
        return [Finished()] if self._stopped else []

    def _read(self, frame: Frame) -> list[Event]:
        kind = frame.headers.get(":message-type")
        if kind != "event":
            return [failed(frame)]
        given = answered(frame.payload) or {}
        name = frame.headers.get(":event-type")
        if name == "messageStart":
            return [Begun("", "")]
        if name == "messageStop":
            self._stopped = True
            return [Stopped(STOPS.get(said(given.get("stopReason")), "filtered"))]
        if name == "metadata":
            usage = usage_of(given.get("usage"))
            return [*([Used(usage)] if usage else []), Finished()]
        index = given.get("contentBlockIndex")
        return self._block(name, index, given) if isinstance(index, int) else []

    def _block(self, name: str | None, index: int, given: dict[str, Any]) -> list[Event]:
        if name == "contentBlockStop" and index in self._open:
            self._open.discard(index)
            return [Ended(index)]
        if name == "contentBlockStart":
            start = given.get("start")
            call = start.get("toolUse") if isinstance(start, dict) else None
            if isinstance(call, dict):
                return self._started(index, ToolCall(said(call.get("toolUseId")), said(call.get("name")), ""))
        delta = given.get("delta")
        if name == "contentBlockDelta" and isinstance(delta, dict):
            return self._delta(index, delta)
        return []

    def _delta(self, index: int, delta: dict[str, Any]) -> list[Event]:
        if isinstance(delta.get("text"), str):
            return [*self._started(index, Text("")), Delta(index, delta["text"])]
        if isinstance(call := delta.get("toolUse"), dict) and index in self._open:
            return [Delta(index, said(call.get("input")))]
        if isinstance(thought := delta.get("reasoningContent"), dict):
            redacted = said(thought.get("redactedContent"))
            # thought that can be read is signed by Claude alone, and its signature comes last
            begun = self._started(index, Thinking(redacted=redacted, by=BY if redacted else "anthropic"))
            text, signature = said(thought.get("text")), said(thought.get("signature"))
            return [*begun, Delta(index, text, signature)] if text or signature else [*begun]
        return []

    def _started(self, index: int, part: Text | Thinking | ToolCall) -> list[Event]:
        """Return that a part begins, unless it has: only calls of tools are announced."""
        if index in self._open:
            return []
        self._open.add(index)
        return [Started(index, part)]


def failed(frame: Frame) -> Failed:
    """Read a frame that is no event: an exception of the model, or an error of the service."""
    headers = frame.headers
    name = headers.get(":exception-type") or headers.get(":error-code", "")
    error = exception_of(name, frame.payload)
    if ":error-message" in headers:
        error["message"] = headers[":error-message"]
    return Failed(error, error["code"])
