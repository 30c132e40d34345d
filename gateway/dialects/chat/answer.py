"""Answers in one piece: a chat completion into the canonical form, and back."""

import time
from typing import Any

import msgspec

from gateway.dialects.canonical import Answer, Choice, Failed, Part, StopReason, Text, Thinking, ToolCall
from gateway.dialects.modalities import of_prompt, units_among
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_usage import usage_of
from gateway.dialects.shapes import answered, counted, listed, said
from gateway.types import Usage

STOPS: dict[str, StopReason] = {
    "": "end", "stop": "end", "eos": "end", "eos_token": "end", "end_turn": "end", "stop_sequence": "end",
    "length": "length", "max_tokens": "length", "model_length": "length",
    "tool_calls": "tools", "tool_use": "tools", "function_call": "tools", "content_filter": "filtered",
}  # fmt: skip
FINISHES: dict[StopReason, str] = {
    "end": "stop", "length": "length", "tools": "tool_calls", "stop_sequence": "stop", "refusal": "content_filter",
    "filtered": "content_filter",
}  # fmt: skip


def read_answer(body: bytes) -> Answer | Failed | None:
    """Read a chat completion, or the error in its place. None when it is neither."""
    given = answered(body)
    if given is None:
        return None
    if given.get("error"):
        return Failed(as_detail(given["error"]), status_of(given["error"]))
    choices = [_choice(choice) for choice in listed(given.get("choices"))]
    if not choices:
        return None
    usage = usage_of(given.get("usage"))
    return Answer(said(given.get("id")), said(given.get("model")), choices, usage, counted(given, "created"))


def stop_of(choice: dict[str, Any], *, called: bool, refused: bool) -> tuple[StopReason, str]:
    """Return why an answer ended, and the stop sequence where an engine says it (vLLM does, in `stop_reason`).

    Some engines say "stop" where a tool is called. What nobody documented reads as filtered: the answer may not be all
    that the model meant to say.
    """
    stop = STOPS.get(said(choice.get("finish_reason")), "filtered")
    if stop == "end" and called:
        return "tools", ""
    if stop == "end" and refused:
        return "refusal", ""
    sequence = said(choice.get("stop_reason"))
    return ("stop_sequence", sequence) if stop == "end" and sequence else (stop, "")


def thought_of(message: dict[str, Any]) -> str:
    """Return the thought of a message or delta, under either name that engines give it."""
    return said(message.get("reasoning_content")) or said(message.get("reasoning"))


def _choice(given: dict[str, Any]) -> Choice:
    message = given.get("message")
    message = message if isinstance(message, dict) else {}
    parts: list[Part] = []
    if thought := thought_of(message):
        parts.append(Thinking(thought))
    refusal = said(message.get("refusal"))
    if content := said(message.get("content")) or refusal:
        parts.append(Text(content))
    calls = [_call(call) for call in listed(message.get("tool_calls"))]
    stop, sequence = stop_of(given, called=bool(calls), refused=bool(refusal))
    logprobs = given.get("logprobs")
    return Choice([*parts, *calls], stop, sequence, logprobs if isinstance(logprobs, dict) else None)


def _call(given: dict[str, Any]) -> ToolCall:
    function = given.get("function")
    function = function if isinstance(function, dict) else {}
    return ToolCall(said(given.get("id")), said(function.get("name")), said(function.get("arguments")) or "{}")


def write_answer(answer: Answer) -> bytes:
    """Write an answer as a chat completion."""
    written: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created or int(time.time()),  # a required field; not every provider says when
        "model": answer.model,
        "choices": [_written(index, choice) for index, choice in enumerate(answer.choices)],
    }
    if answer.usage is not None:
        written["usage"] = written_usage(answer.usage)
    return msgspec.json.encode(written)


def written_call(call: ToolCall) -> dict[str, Any]:
    """Write a call of a tool."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def written_usage(usage: Usage) -> dict[str, Any]:
    """Write usage in OpenAI's sense, which is our own."""
    read = {f"{kind}_tokens": count for kind, count in of_prompt(usage).items()}
    made = {f"{kind}_tokens": count for kind, count in units_among(usage, "output").items()}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            **read,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, **made},
    }


def _written(index: int, choice: Choice) -> dict[str, Any]:
    texts = [part.text for part in choice.parts if isinstance(part, Text)]
    thoughts = [part.text for part in choice.parts if isinstance(part, Thinking) and part.text]
    calls = [written_call(part) for part in choice.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    finish = FINISHES[choice.stop]
    return {"index": index, "message": message, "logprobs": choice.logprobs, "finish_reason": finish}
