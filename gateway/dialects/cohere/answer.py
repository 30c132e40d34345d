"""Answers in one piece, read into the canonical form."""

from typing import Any

from gateway.dialects.canonical import Answer, Choice, Failed, Part, StopReason, Text, Thinking, ToolCall
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.shapes import answered, listed, said

BY = "cohere"
STOPS: dict[str, StopReason] = {  # what is not listed, such as ERROR and TIMEOUT, reads as filtered
    "COMPLETE": "end", "STOP_SEQUENCE": "stop_sequence", "MAX_TOKENS": "length", "TOOL_CALL": "tools",
}  # fmt: skip


def read_answer(body: bytes) -> Answer | Failed | None:
    """Read an answer, or the error in its place. None when it is neither. Citations are left out: no client has a word."""
    given = answered(body)
    if given is None:
        return None
    message = given.get("message")
    if isinstance(message, str) and message:
        return Failed({"message": message})
    if not isinstance(message, dict):
        return None
    stop = STOPS.get(said(given.get("finish_reason")), "filtered")
    return Answer(said(given.get("id")), "", [Choice(_parts(message), stop)], usage_of(given.get("usage")))


def _parts(message: dict[str, Any]) -> list[Part]:
    """Read content. What the model plans to do with tools is text to others: so all clients can send it back."""
    parts: list[Part] = []
    content = message.get("content")
    for block in listed(content):
        if block.get("type") == "thinking":
            parts.append(Thinking(said(block.get("thinking")), by=BY))
        elif text := said(block.get("text")):
            parts.append(Text(text))
    if plan := said(message.get("tool_plan")):
        parts.append(Text(plan))
    return parts + [call_of(call) for call in listed(message.get("tool_calls"))]


def call_of(given: dict[str, Any]) -> ToolCall:
    """Read a call of a tool. One without arguments may have none, or null."""
    function = given.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = said(function.get("arguments"))
    return ToolCall(said(given.get("id")), said(function.get("name")), "{}" if arguments in ("", "null") else arguments)
