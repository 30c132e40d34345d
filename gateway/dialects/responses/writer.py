"""Writes a streamed answer as the events of a response."""

import time
from typing import Any

import msgspec

from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Finished,
    Started,
    Stopped,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.responses.answer import (
    PREFIXES,
    ended,
    logprobs_of,
    message_of,
    names_of,
    response_of,
    written_text,
)
from gateway.dialects.responses.thinking import written_reasoning
from gateway.dialects.responses.tools import written_call
from gateway.ids import new_id
from gateway.types import ParsedRequest, Usage

LAST = 1 << 31  # sequence number of a failure: what went before is not known where it is written


class ResponsesWriter:
    """See `EventWriter`. Each part of the answer is an item of its own."""

    def __init__(self, request: ParsedRequest) -> None:
        self._request, self._names = request, names_of(request)
        self._response: dict[str, Any] = {}
        self._open: dict[int, _Open] = {}  # by the index of the part
        self._output: list[dict[str, Any]] = []
        self._number = 0
        self._usage: Usage | None = None
        self._stop: StopReason = "end"

    def write(self, events: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Begun):
            self._response = response_of(self._request, event.model, event.created)
            return self._event("response.created", response=self._response) + self._event(
                "response.in_progress", response=self._response
            )
        if isinstance(event, Started):
            return self._start(event)
        if isinstance(event, Ended):
            return self._end(event)
        if isinstance(event, Stopped):
            self._stop = event.stop
        if isinstance(event, Used):
            self._usage = event.usage
        return self._finish() if isinstance(event, Finished) else b""

    def _start(self, event: Started) -> bytes:
        part, place = event.part, len(self._output)
        named = self._names.get(part.name) if isinstance(part, ToolCall) else None
        opened = _Open(part, new_id(PREFIXES[type(part)]), place, named is not None and named.kind != "function")
        self._open[event.index] = opened
        held, opened.text = opened.text, ""
        self._output.append(self._item(opened, "in_progress"))
        written = self._event("response.output_item.added", output_index=place, item=self._output[place])
        if isinstance(part, Text):
            written += self._at("response.content_part.added", opened, content_index=0, part=written_text("", []))
        elif isinstance(part, Thinking) and not part.redacted:
            empty = {"type": "summary_text", "text": ""}
            written += self._at("response.reasoning_summary_part.added", opened, summary_index=0, part=empty)
        return written + (self._delta(Delta(event.index, held)) if held else b"")

    def _delta(self, event: Delta) -> bytes:
        opened = self._open[event.index]
        opened.text += event.text
        opened.signature += event.signature
        if not event.text or opened.held:  # it is known once the arguments around it are whole
            return b""
        if isinstance(opened.part, Text):
            logprobs = logprobs_of(event.logprobs)
            opened.logprobs += logprobs
            return self._at("response.output_text.delta", opened, content_index=0, delta=event.text, logprobs=logprobs)
        if isinstance(opened.part, Thinking):
            return self._at("response.reasoning_summary_text.delta", opened, summary_index=0, delta=event.text)
        return self._at("response.function_call_arguments.delta", opened, delta=event.text)

    def _end(self, event: Ended) -> bytes:
        opened = self._open.pop(event.index)
        item = self._output[opened.place] = self._item(opened, "completed")
        written = b""
        if isinstance(opened.part, Text):
            [content], text = item["content"], opened.text
            done = {"content_index": 0, "text": text, "logprobs": opened.logprobs}
            written = self._at("response.output_text.done", opened, **done)
            written += self._at("response.content_part.done", opened, content_index=0, part=content)
        elif isinstance(opened.part, Thinking) and not opened.part.redacted:
            written = self._at("response.reasoning_summary_text.done", opened, summary_index=0, text=opened.text)
            whole = {"type": "summary_text", "text": opened.text}
            written += self._at("response.reasoning_summary_part.done", opened, summary_index=0, part=whole)
        elif item["type"] == "custom_tool_call":
            written = self._at("response.custom_tool_call_input.delta", opened, delta=item["input"])
            written += self._at("response.custom_tool_call_input.done", opened, input=item["input"])
        elif item["type"] == "function_call":
            said = {"arguments": item["arguments"], "name": item["name"]}
            written = self._at("response.function_call_arguments.done", opened, **said)
        return written + self._event("response.output_item.done", output_index=opened.place, item=item)

    def _item(self, opened: "_Open", status: str) -> dict[str, Any]:
        """Return an item as far as it is known."""
        part = opened.part
        if isinstance(part, Text):
            content = [written_text(opened.text, opened.logprobs)] if status == "completed" else []
            return message_of(opened.id, content, status)
        if isinstance(part, Thinking):
            thought = Thinking(opened.text, opened.signature, part.redacted, part.by)
            return written_reasoning(thought, opened.id, status)
        return written_call(ToolCall(part.id, part.name, opened.text), opened.id, self._names, status)

    def _finish(self) -> bytes:
        response = ended(self._response, self._output, self._stop, self._usage)
        return self._event(f"response.{response['status']}", response=response)

    def _at(self, kind: str, opened: "_Open", **fields: Any) -> bytes:
        return self._event(kind, item_id=opened.id, output_index=opened.place, **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return written_event(kind, {"sequence_number": number, **fields})


class _Open:
    """A part that is being written. `text` is all of it so far: a text, a thought, or the arguments of a call.

    `held`: it is no function that is called, so its arguments are shown in another shape, and only when they are whole.
    """

    __slots__ = ("held", "id", "logprobs", "part", "place", "signature", "text")

    def __init__(self, part: Text | Thinking | ToolCall, item_id: str, place: int, held: bool) -> None:
        self.part, self.id, self.place, self.held = part, item_id, place, held
        self.text = part.arguments if isinstance(part, ToolCall) else part.text
        self.signature = part.signature if isinstance(part, Thinking) else ""
        self.logprobs: list[Any] = []


def written_event(kind: str, fields: dict[str, Any]) -> bytes:
    """Write one event."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def failed(body: bytes) -> bytes:
    """Return the last event of a stream that failed, of an error body in OpenAI's shape."""
    error = msgspec.json.decode(body)["error"]
    response = {
        "id": f"resp_{error['request_id']}", "object": "response", "created_at": int(time.time()), "status": "failed",
        "error": error, "incomplete_details": None, "model": "", "output": [], "usage": None,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    return written_event("response.failed", {"sequence_number": LAST, "response": response})
