"""Answers in one piece: a message into the canonical form, and back."""

from typing import Any

import msgspec

from gateway.dialects.anthropic.content import DIALECT, input_of
from gateway.dialects.anthropic.errors import error_of
from gateway.dialects.anthropic.usage import usage_of, written_usage
from gateway.dialects.canonical import Answer, Choice, Failed, Part, StopReason, Text, Thinking, ToolCall
from gateway.dialects.shapes import answered, listed, said
from gateway.types import Usage

STOPS: dict[str, StopReason] = {
    "": "end", "end_turn": "end", "max_tokens": "length", "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence", "tool_use": "tools", "refusal": "refusal", "pause_turn": "end",
}  # fmt: skip
REASONS: dict[StopReason, str] = {
    "end": "end_turn", "length": "max_tokens", "stop_sequence": "stop_sequence", "tools": "tool_use",
    "refusal": "refusal", "filtered": "refusal",
}  # fmt: skip


def read_answer(body: bytes) -> Answer | Failed | None:
    """Read a message, or the error in its place. None when it is neither."""
    given = answered(body)
    if given is None:
        return None
    if given.get("type") == "error" or given.get("error"):
        return Failed(*error_of(given.get("error")))
    if not isinstance(given.get("content"), list):
        return None
    read = [read_block(block) for block in listed(given["content"])]
    parts: list[Part] = [part for part in read if part is not None]
    stop, sequence = stop_of(given)
    choice = Choice(parts, stop, sequence)
    return Answer(said(given.get("id")), said(given.get("model")), [choice], usage_of(given.get("usage")))


def stop_of(given: dict[str, Any]) -> tuple[StopReason, str]:
    """Return why an answer ended, and its stop sequence if it was one. What is not known reads as filtered."""
    return STOPS.get(said(given.get("stop_reason")), "filtered"), said(given.get("stop_sequence"))


def read_block(block: dict[str, Any]) -> Text | Thinking | ToolCall | None:
    """Read a block of an answer. None for what tools of the provider leave, which nobody could ask for here."""
    kind = block.get("type")
    if kind == "text":
        return Text(said(block.get("text")))
    if kind == "thinking":
        return Thinking(said(block.get("thinking")), said(block.get("signature")), by=DIALECT)
    if kind == "redacted_thinking":
        return Thinking(redacted=said(block.get("data")), by=DIALECT)
    if kind == "tool_use":
        arguments = msgspec.json.encode(block.get("input") or {}).decode()
        return ToolCall(said(block.get("id")), said(block.get("name")), arguments)
    return None


def write_answer(answer: Answer) -> bytes:
    """Write an answer as a message. It has one choice, as Messages ask for one."""
    choice = answer.choices[0]
    content = [block for part in choice.parts if (block := written_block(part)) is not None]
    head = message_of(answer.id, answer.model, answer.usage or Usage())
    sequence = choice.stop_sequence or None
    return msgspec.json.encode(
        head | {"content": content, "stop_reason": REASONS[choice.stop], "stop_sequence": sequence}
    )


def message_of(id: str, model: str, usage: Usage) -> dict[str, Any]:
    """Return a message without content, as a stream begins with it."""
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": written_usage(usage),
    }


def written_block(part: Part) -> dict[str, Any] | None:
    """Write a part of an answer. None for thought that nobody but its provider can read, where that is another."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": input_of(part.arguments)}
    if isinstance(part, Thinking):
        if part.redacted:
            return {"type": "redacted_thinking", "data": part.redacted} if part.by == DIALECT else None
        signature = part.signature if part.by == DIALECT else ""
        return {"type": "thinking", "thinking": part.text, "signature": signature}
    return None
