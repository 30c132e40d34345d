"""Writes a streamed answer as chunks of a chat completion."""

import time
from typing import Any

import msgspec

from gateway.dialects.canonical import (
    Begun,
    Delta,
    Event,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.chat.answer import FINISHES, written_call, written_usage
from gateway.types import Usage

DONE = b"data: [DONE]\n\n"


class ChatWriter:
    """See `EventWriter`. `usage_wanted`: the client asked for the usage chunk."""

    def __init__(self, usage_wanted: bool) -> None:
        self._usage_wanted = usage_wanted
        self._usage: Usage | None = None
        self._head: dict[str, Any] = {}
        self._parts: dict[tuple[int, int], Text | Thinking | ToolCall] = {}  # by choice and index
        self._calls: dict[tuple[int, int], int] = {}  # the number of a call among those of its choice
        self._greeted: set[int] = set()  # choices whose role was told

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Delta):
            return self._delta(event.choice, self._more(event), event.logprobs)
        if isinstance(event, Begun):
            self._head = {
                "id": event.id,
                "object": "chat.completion.chunk",
                "created": event.created or int(time.time()),  # a required field; not every provider says when
                "model": event.model,
            }
            self._usage = event.usage
            return self._delta(0, {})
        if isinstance(event, Started):
            self._parts[event.choice, event.index] = event.part
            return self._delta(event.choice, self._begin(event))
        if isinstance(event, Stopped):
            return self._greet(event.choice) + self._chunk(event.choice, {}, None, FINISHES[event.stop])
        if isinstance(event, Used):
            self._usage = event.usage
        if isinstance(event, Finished):
            return self._end()
        return b""

    def _begin(self, event: Started) -> dict[str, Any]:
        part = event.part
        if isinstance(part, ToolCall):
            number = sum(choice == event.choice for choice, _ in self._calls)
            self._calls[event.choice, event.index] = number
            return {"tool_calls": [{"index": number, **written_call(part)}]}
        if isinstance(part, Thinking):
            return {"reasoning_content": part.text} if part.text else {}
        return {"content": part.text} if part.text else {}

    def _more(self, event: Delta) -> dict[str, Any]:
        """Return the delta of more of a part. Signatures have no place in a chat."""
        if not event.text:
            return {}
        part = self._parts[event.choice, event.index]
        if isinstance(part, ToolCall):
            number = self._calls[event.choice, event.index]
            return {"tool_calls": [{"index": number, "function": {"arguments": event.text}}]}
        return {"reasoning_content" if isinstance(part, Thinking) else "content": event.text}

    def _delta(self, choice: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None) -> bytes:
        return self._greet(choice) + (self._chunk(choice, delta, logprobs) if delta else b"")

    def _greet(self, choice: int) -> bytes:
        """Tell the role of a choice, once."""
        if choice in self._greeted:
            return b""
        self._greeted.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _chunk(
        self, choice: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None, finish: str | None = None
    ) -> bytes:
        part = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return self._data({"choices": [part]} | ({"usage": None} if self._usage_wanted else {}))

    def _end(self) -> bytes:
        if not self._usage_wanted or self._usage is None:
            return DONE
        return self._data({"choices": [], "usage": written_usage(self._usage)}) + DONE

    def _data(self, chunk: dict[str, Any]) -> bytes:
        return b"data: " + msgspec.json.encode(self._head | chunk) + b"\n\n"
