"""Chat completions in OpenAI's wire format: from a reply to a body, or to the chunks of a stream."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.tokens import Countable, TokenCounter, chat_prompt, encoding_for
from portal.demo.conversation import Conversation
from portal.demo.replies import Reply, reply

FINGERPRINT = "demo-engine"


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice, cut to what was asked for: the pieces are tokens."""

    reply: Reply
    pieces: tuple[str, ...]
    finish: str  # "stop", "length", "tool_calls"

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one request."""

    conversation: Conversation
    choices: tuple[Choice, ...]
    prompt_tokens: int
    id: str
    created: int

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object: tiktoken's count of what was asked and of what was said."""
        completion = sum(len(choice.pieces) for choice in self.choices)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


def complete(request: dict[str, Any], conversation: Conversation, counter: TokenCounter, words: int) -> Completion:
    """Make the whole answer; it counts tokens, so run it off the loop. Raises ApiError."""
    encoding = encoding_for(conversation.model)
    prompt: Countable = chat_prompt(request)
    prompt_tokens = prompt.overhead + counter.count_now(prompt.texts, encoding)
    choices = []
    for number in range(conversation.choices):
        said = reply(conversation, number, words)
        pieces, finish = _cut(counter.split(said.text or said.arguments, encoding), conversation, bool(said.tool))
        choices.append(Choice(said, tuple(pieces), finish))
    name = hashlib.blake2b(f"{time.time_ns()} {conversation.prompt}".encode(), digest_size=12).hexdigest()
    return Completion(conversation, tuple(choices), prompt_tokens, f"chatcmpl-demo-{name}", int(time.time()))


def body(completion: Completion) -> dict[str, Any]:
    """Return the answer as one object."""
    return {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.conversation.model,
        "choices": [
            {"index": index, "message": _message(completion, index), "logprobs": None, "finish_reason": choice.finish}
            for index, choice in enumerate(completion.choices)
        ],
        "usage": completion.usage,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def chunks(completion: Completion) -> Iterator[dict[str, Any]]:
    """Yield the answer as the chunks of a stream, a token each."""
    for index, choice in enumerate(completion.choices):
        start: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        if choice.reply.tool:
            start = {"role": "assistant", "content": None, "tool_calls": [_call(completion, index, "")]}
        yield _chunk(completion, [_delta(index, start)])
    for step in range(max(len(choice.pieces) for choice in completion.choices)):
        for index, choice in enumerate(completion.choices):
            if step < len(choice.pieces) and choice.pieces[step]:
                yield _chunk(completion, [_delta(index, _piece(choice, choice.pieces[step]))])
    for index, choice in enumerate(completion.choices):
        yield _chunk(completion, [_delta(index, {}, choice.finish)])
    if completion.conversation.include_usage:
        yield {**_chunk(completion, []), "usage": completion.usage}


def event(value: dict[str, Any]) -> bytes:
    """Frame a chunk as a server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def _cut(pieces: list[str], conversation: Conversation, tool: bool) -> tuple[list[str], str]:
    """Cut tokens at the first stop sequence and the most tokens, whichever comes first."""
    finish = "tool_calls" if tool and not conversation.forced_tool else "stop"
    text = "".join(pieces)
    ends = [at for stop in conversation.stops if (at := text.find(stop)) >= 0] if not tool else []
    if ends:
        kept, length = [], 0
        for piece in pieces:
            if length >= min(ends):
                break
            kept.append(piece[: min(ends) - length])
            length += len(piece)
        pieces = kept
    if conversation.max_tokens is not None and len(pieces) > conversation.max_tokens:
        return pieces[: conversation.max_tokens], "length"
    return pieces, finish


def _message(completion: Completion, index: int) -> dict[str, Any]:
    choice = completion.choices[index]
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
    if choice.reply.tool:
        call = _call(completion, index, choice.text)
        del call["index"]
        message |= {"content": None, "tool_calls": [call]}
    return message


def _call(completion: Completion, index: int, arguments: str) -> dict[str, Any]:
    function = {"name": completion.choices[index].reply.tool, "arguments": arguments}
    identity = f"call_{completion.id.rpartition('-')[2]}{index}"
    return {"index": 0, "id": identity, "type": "function", "function": function}


def _piece(choice: Choice, piece: str) -> dict[str, Any]:
    if choice.reply.tool:
        return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    return {"content": piece}


def _delta(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(completion: Completion, choices: list[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.conversation.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
    }
    if completion.conversation.include_usage:
        made["usage"] = None
    return made
