"""Answers in one piece as response objects."""

import time
from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Answer, Part, StopReason, Text, Thinking, ToolCall
from gateway.dialects.responses.thinking import written_reasoning
from gateway.dialects.responses.tools import Names, read_tools, written_call
from gateway.dialects.responses.usage import written_usage
from gateway.ids import new_id
from gateway.types import ParsedRequest, Usage

REASONS: dict[StopReason, str] = {
    "length": "max_output_tokens", "filtered": "content_filter", "refusal": "content_filter",
}  # fmt: skip
PREFIXES: dict[type, str] = {Text: "msg", Thinking: "rs", ToolCall: "fc"}

# What a response says again of its request, and what it says where the request does not.
ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {}, "parallel_tool_calls": True,
    "prompt_cache_key": None, "reasoning": {"effort": None, "summary": None}, "safety_identifier": None,
    "temperature": None, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0,
    "top_p": None, "truncation": "disabled", "user": None,
}  # fmt: skip


def names_of(request: ParsedRequest) -> Names:
    """Return what the functions that a provider was given stand for."""
    return read_tools(shapes.decoded(request))[1]


def response_of(request: ParsedRequest, model: str, created: int) -> dict[str, Any]:
    """Return a response without output, as a stream begins with it. Nothing of it is stored, whatever was asked."""
    given = shapes.decoded(request)
    said = {name: given[name] if given.get(name) is not None else usual for name, usual in ECHOED.items()}
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": created or int(time.time()),  # a required field; not every provider says when
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "previous_response_id": None,
        "store": False,
        "usage": None,
        **said,
    }


def ended(
    response: dict[str, Any], output: list[dict[str, Any]], stop: StopReason, usage: Usage | None
) -> dict[str, Any]:
    """Return a response with its output and why it ended."""
    reason = REASONS.get(stop)
    status = "incomplete" if reason else "completed"
    if reason and output:
        output = [*output[:-1], output[-1] | {"status": status}]
    return response | {
        "status": status,
        "completed_at": None if reason else int(time.time()),
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": written_usage(usage) if usage is not None else None,
    }


def written_text(text: str, logprobs: list[Any]) -> dict[str, Any]:
    """Write a text as a part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def message_of(item_id: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """Write a message."""
    return {"type": "message", "id": item_id, "status": status, "role": "assistant", "content": content}


def write_answer(request: ParsedRequest, answer: Answer) -> bytes:
    """Write an answer as a response. It has one choice, as Responses ask for one."""
    choice, names = answer.choices[0], names_of(request)
    logprobs = logprobs_of(choice.logprobs)
    output = [item for part in choice.parts if (item := _item(part, names, logprobs)) is not None]
    response = response_of(request, answer.model, answer.created)
    return msgspec.json.encode(ended(response, output, choice.stop, answer.usage))


def logprobs_of(given: dict[str, Any] | None) -> list[Any]:
    """Return the log probabilities of a text, from where a chat has them."""
    return shapes.listed(given.get("content")) if given is not None else []


def _item(part: Part, names: Names, logprobs: list[Any]) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return message_of(new_id("msg"), [written_text(part.text, logprobs)], "completed")
    if isinstance(part, Thinking):
        return written_reasoning(part, new_id("rs"), "completed")
    if isinstance(part, ToolCall):
        return written_call(part, new_id("fc"), names, "completed")
    return None
