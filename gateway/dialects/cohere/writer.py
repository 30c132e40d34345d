"""Writes answers, whole and streamed, as Cohere does."""

from typing import Any

import msgspec

from gateway.dialects.canonical import (
    Answer,
    Begun,
    Delta,
    Ended,
    Event,
    Finished,
    Part,
    Started,
    Stopped,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.types import Usage

REASONS: dict[StopReason, str] = {
    "end": "COMPLETE", "stop_sequence": "STOP_SEQUENCE", "length": "MAX_TOKENS", "tools": "TOOL_CALL",
    "refusal": "ERROR", "filtered": "ERROR",
}  # fmt: skip


def write_answer(answer: Answer) -> bytes:
    """Write a whole answer. What is said before calls of tools is the plan, as it is at Cohere."""
    choice = answer.choices[0]
    calls = [written_call(part) for part in choice.parts if isinstance(part, ToolCall)]
    content = [block for part in choice.parts if (block := _block(part)) is not None]
    message: dict[str, Any] = {"role": "assistant"}
    if calls:
        plan = "".join(part.text for part in choice.parts if isinstance(part, Text))
        content = [block for block in content if block["type"] != "text"]
        message |= {"tool_plan": plan, "tool_calls": calls}
    message["content"] = content
    written = {"id": answer.id, "finish_reason": REASONS[choice.stop], "message": message}
    return msgspec.json.encode(written | {"usage": written_usage(answer.usage)})


def written_call(call: ToolCall) -> dict[str, Any]:
    """Write a call of a tool."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def written_usage(usage: Usage | None) -> dict[str, Any]:
    """Write what was used. Where another provider served it, all tokens of the prompt are billed."""
    usage = usage or Usage()
    told = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return {"billed_units": told, "tokens": told, "cached_tokens": usage.cached_tokens}


def failed(body: bytes) -> bytes:
    """Return the last event of a stream that failed, of an error body (see `error_bodies`)."""
    error = msgspec.json.decode(body, type=dict)
    return _event("message-end", delta={"finish_reason": "ERROR", "error": error["message"]}, error=error)


class CohereWriter:
    """See `EventWriter`. Content and calls of tools are numbered apart."""

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._stop: StopReason = "end"
        self._parts: dict[int, tuple[int, Text | Thinking | ToolCall]] = {}  # by our index: Cohere's, and the part

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Delta):
            return self._more(event.index, event.text)
        if isinstance(event, Begun):
            self._usage = event.usage
            empty: dict[str, Any] = {
                "role": "assistant",
                "content": [],
                "tool_plan": "",
                "tool_calls": [],
                "citations": [],
            }
            return _event("message-start", id=event.id, delta={"message": empty})
        if isinstance(event, Started):
            return self._begin(event.index, event.part)
        if isinstance(event, Ended) and event.index in self._parts:
            index, part = self._parts[event.index]
            return _event("tool-call-end" if isinstance(part, ToolCall) else "content-end", index=index)
        if isinstance(event, Stopped):
            self._stop = event.stop
        if isinstance(event, Used):
            self._usage = event.usage
        if isinstance(event, Finished):
            delta = {"finish_reason": REASONS[self._stop], "usage": written_usage(self._usage)}
            return _event("message-end", delta=delta)
        return b""

    def _begin(self, index: int, part: Text | Thinking | ToolCall) -> bytes:
        if isinstance(part, Thinking) and part.redacted:
            return b""
        called = isinstance(part, ToolCall)
        number = sum(isinstance(one, ToolCall) is called for _, one in self._parts.values())
        self._parts[index] = number, part
        if isinstance(part, ToolCall):
            head = written_call(ToolCall(part.id, part.name, ""))
            begun = _event("tool-call-start", index=number, delta={"message": {"tool_calls": head}})
            return begun + self._more(index, part.arguments)
        kind = "thinking" if isinstance(part, Thinking) else "text"
        begun = _event("content-start", index=number, delta={"message": {"content": {"type": kind, kind: ""}}})
        return begun + self._more(index, part.text)

    def _more(self, index: int, text: str) -> bytes:
        if not text or index not in self._parts:
            return b""
        number, part = self._parts[index]
        if isinstance(part, ToolCall):
            more: dict[str, Any] = {"tool_calls": {"function": {"arguments": text}}}
            return _event("tool-call-delta", index=number, delta={"message": more})
        kind = "thinking" if isinstance(part, Thinking) else "text"
        return _event("content-delta", index=number, delta={"message": {"content": {kind: text}}})


def _block(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Thinking) and part.text:
        return {"type": "thinking", "thinking": part.text}
    return None


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"
