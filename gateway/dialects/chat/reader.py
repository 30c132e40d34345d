"""Reads a streamed chat completion of a provider into canonical events, however the network cut it."""

from typing import Any

from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.chat.answer import stop_of, thought_of
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.openai_usage import usage_in
from gateway.dialects.shapes import answered, counted, listed, said
from gateway.dialects.sse import EventBuffer, data_of, events

MAX_EVENT = 8 << 20  # bytes; a call of a tool may come as one event
_DONE = b"[DONE]"


def failure(message: str) -> Failed:
    """Return the event of a stream that cannot be read on."""
    return Failed({"message": message, "type": "api_error"})


class ChatReader:
    """See `EventReader`."""

    def __init__(self) -> None:
        self._buffer = EventBuffer(MAX_EVENT)
        self._choices: dict[int, _ChoiceReader] = {}
        self._begun = self._over = False
        self._complete = False  # the last chunk with usage was one that ends an answer

    def feed(self, data: bytes) -> list[Event]:
        """See `EventReader.feed`."""
        block = self._buffer.feed(data)
        if self._buffer.inside and not self._over:
            self._over = True
            return [failure(f"The provider sent an event of more than {MAX_EVENT >> 20} MiB.")]
        return self._read(block)

    def end(self) -> list[Event]:
        """See `EventReader.end`. Some engines send no `[DONE]`; their usage comes last, too, or with each chunk."""
        rest = self._buffer.rest()
        found = self._read(rest + b"\n\n") if rest.strip() else []
        if self._complete and not self._over:
            found += self._finish()
        return found

    def _read(self, block: bytes) -> list[Event]:
        found: list[Event] = []
        for event in events(block):
            data = data_of(event)
            if data and not self._over:
                found += self._finish() if data.strip() == _DONE else self._chunk(data)
        return found

    def _finish(self) -> list[Event]:
        self._over = True
        found: list[Event] = []
        for choice in self._choices.values():
            found += choice.stopped({})
        return [*found, Finished()]

    def _chunk(self, data: bytes) -> list[Event]:
        chunk = answered(data)
        if chunk is None:
            self._over = True
            return [failure("The provider sent an event that is not JSON.")]
        choices = listed(chunk.get("choices"))
        if chunk.get("error") and (not choices or choices[0].get("finish_reason") == "error"):
            self._over = True
            return [Failed(as_detail(chunk["error"]), status_of(chunk["error"]))]
        found: list[Event] = []
        if not self._begun:
            self._begun = True
            found.append(Begun(said(chunk.get("id")), said(chunk.get("model")), created=counted(chunk, "created")))
        for given in choices:
            index = counted(given, "index")
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _ChoiceReader(index)
            found += choice.read(given)
        usage = usage_in(chunk)
        if usage is not None:
            self._complete = not choices or bool(choices[0].get("finish_reason"))
            found.append(Used(usage))
        if any(isinstance(event, Failed) for event in found):
            self._over = True
        return found


class _Call:
    """A call of a tool on its way."""

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.pieces: list[str] = []  # of its arguments, all that came
        self.ended = False

    @property
    def complete(self) -> bool:
        """Whether its arguments are an object by now, so that nothing is to follow."""
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        return answered("".join(self.pieces).encode()) is not None


class _ChoiceReader:
    """Reads one choice: which part is open, and where each call of a tool stands.

    Some engines stream several calls at once. Other formats tell one part after the other, so a call waits until the
    one before it is complete.
    """

    def __init__(self, index: int) -> None:
        self._choice = index
        self._parts = 0
        self._open: Text | Thinking | ToolCall | None = None
        self._calls: dict[int, _Call] = {}  # by the provider's index, the last that began there
        self._current: _Call | None = None  # the call that is the open part
        self._waiting: list[_Call] = []  # begun after it
        self._refused = self._stopped = False

    def read(self, given: dict[str, Any]) -> list[Event]:
        """Return the events of one chunk's choice."""
        delta = given.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        found: list[Event] = []
        if thought := thought_of(delta):
            if not isinstance(self._open, Thinking):
                found += self._start(Thinking())
            found.append(self._delta(thought))
        refusal = said(delta.get("refusal"))
        if content := said(delta.get("content")) + refusal:
            self._refused = self._refused or bool(refusal)
            if not isinstance(self._open, Text):
                found += self._start(Text(""))
            logprobs = given.get("logprobs")
            found.append(self._delta(content, logprobs if isinstance(logprobs, dict) else None))
        for call in listed(delta.get("tool_calls")):
            found += self._call(call)
        if given.get("finish_reason"):
            found += self.stopped(given)
        return found

    def stopped(self, given: dict[str, Any]) -> list[Event]:
        """Return the events of the choice's end, once."""
        if self._stopped:
            return []
        self._stopped = True
        stop, sequence = stop_of(given, called=bool(self._calls), refused=self._refused)
        return [*self._end_all(), Stopped(stop, sequence, self._choice)]

    def _call(self, given: dict[str, Any]) -> list[Event]:
        """Read a piece of a call. Some engines number none of their calls, or all alike: then a new id begins a new one."""
        function = given.get("function")
        function = function if isinstance(function, dict) else {}
        index, call_id, name = counted(given, "index"), said(given.get("id")), said(function.get("name"))
        known = self._calls.get(index)
        found: list[Event] = []
        if known is None or (call_id and call_id != known.call.id):
            if known is not None and known is self._current:
                found += self._end()  # its number is another's now: nothing can follow
            number = self._parts + len(self._waiting)
            known = self._calls[index] = _Call(ToolCall(call_id or f"call_{self._choice}_{number}", name, ""))
            self._waiting.append(known)
        arguments = said(function.get("arguments"))
        if known.ended and arguments.strip():
            return [*found, failure("The provider goes on with a tool call that was complete.")]
        if arguments and not known.ended:
            known.pieces.append(arguments)
            if known is self._current:
                found.append(self._delta(arguments))
        while self._waiting and (self._current is None or self._current.complete):
            found += self._next()
        return found

    def _next(self) -> list[Event]:
        """Return the events of the call that waits longest: it is the open part from now on."""
        following = self._waiting.pop(0)
        begun = self._begin(following.call)
        self._current = following
        return [*begun, self._delta("".join(following.pieces))] if following.pieces else begun

    def _start(self, part: Text | Thinking) -> list[Event]:
        return [*self._end_all(), *self._begin(part)]

    def _begin(self, part: Text | Thinking | ToolCall) -> list[Event]:
        ended = self._end()
        self._open = part
        self._parts += 1
        return [*ended, Started(self._parts - 1, part, self._choice)]

    def _end_all(self) -> list[Event]:
        """Return the end of what is open, and all of what waits behind it."""
        found: list[Event] = []
        while self._waiting:
            found += self._next()
        return found + self._end()

    def _end(self) -> list[Event]:
        if self._open is None:
            return []
        if self._current is not None:
            self._current.ended, self._current = True, None
        self._open = None
        return [Ended(self._parts - 1, self._choice)]

    def _delta(self, text: str, logprobs: dict[str, Any] | None = None) -> Delta:
        return Delta(self._parts - 1, text, choice=self._choice, logprobs=logprobs)
