"""Reads a streamed Gemini answer of a provider into canonical events, however the network cut it."""

from typing import Any

from gateway.dialects.canonical import (
    Begun,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Media,
    Started,
    Stopped,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.gemini.answers import canonical_part, parts_of
from gateway.dialects.gemini.logprobs import canonical_logprobs
from gateway.dialects.gemini.usage import blocked, stop_of, usage_of
from gateway.dialects.openai_answer import as_detail, status_of
from gateway.dialects.shapes import answered, listed, said
from gateway.dialects.sse import EventBuffer, data_of, events

MAX_EVENT = 8 << 20  # bytes; a call of a function comes as one event


class GeminiReader:
    """See `EventReader`. A stream is complete when the provider ends it and each candidate has said why it stopped."""

    def __init__(self, choices: int = 1) -> None:
        """`choices`: how many candidates were asked for."""
        self._choices = choices
        self._buffer = EventBuffer(MAX_EVENT)
        self._candidates: dict[int, _Candidate] = {}
        self._begun = self._over = self._blocked = False

    def feed(self, data: bytes) -> list[Event]:
        """See `EventReader.feed`."""
        block = self._buffer.feed(data)
        if self._buffer.inside:
            return self._fail(f"The provider sent an event of more than {MAX_EVENT >> 20} MiB.")
        return self._read(block)

    def end(self) -> list[Event]:
        """See `EventReader.end`."""
        rest = self._buffer.rest()
        found = self._read(rest + b"\n\n") if rest.strip() else []
        if not self._over and (self._blocked or self._stopped):
            self._over = True
            found.append(Finished())
        return found

    @property
    def _stopped(self) -> bool:
        return len(self._candidates) >= self._choices and all(one.stopped for one in self._candidates.values())

    def _fail(self, message: str) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return [Failed({"message": message})]

    def _read(self, block: bytes) -> list[Event]:
        found: list[Event] = []
        for event in events(block):
            data = data_of(event)
            if data and not self._over:
                chunk = answered(data)
                if chunk is None:
                    found += self._fail("The provider sent an event that is not a JSON object.")
                else:
                    self._take(chunk, found)
        return found

    def _take(self, chunk: dict[str, Any], found: list[Event]) -> None:
        if error := chunk.get("error"):
            self._over = True
            found.append(Failed(as_detail(error), status_of(error)))
            return
        usage = usage_of(chunk.get("usageMetadata"))
        if not self._begun:
            self._begun = True
            found.append(Begun(said(chunk.get("responseId")), said(chunk.get("modelVersion")), usage))
        for candidate in listed(chunk.get("candidates")):
            index = candidate.get("index")
            number = index if isinstance(index, int) else 0
            one = self._candidates.get(number)
            if one is None:
                one = self._candidates[number] = _Candidate(number)
            one.take(candidate, found)
        if blocked(chunk) and not self._blocked:
            self._blocked = True  # even where something of an answer has come by then
            for one in self._candidates.values():
                one.stop("filtered", found)
            if not self._candidates:
                found.append(Stopped("filtered"))
        if usage is not None and (self._blocked or self._stopped):
            found.append(Used(usage))  # each chunk counts what was made by then: only the last ones say all


class _Candidate:
    """One candidate on its way. Parts of one kind that follow each other are one part."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._index = -1
        self._open: type[Text | Thinking] | None = None
        self._called = False
        self.stopped = False

    def take(self, candidate: dict[str, Any], found: list[Event]) -> None:
        """Add the events of what came of this candidate."""
        logprobs = canonical_logprobs(candidate.get("logprobsResult"))
        for part in parts_of(candidate):
            made = canonical_part(part)
            if isinstance(made, Text | Thinking):
                self._say(made, logprobs, found)
                logprobs = None
            elif isinstance(made, ToolCall):
                self._call(made, found)
            elif isinstance(made, Media):
                found.append(Failed({"message": "The model made an image, which cannot be passed on in a stream."}))
        if reason := said(candidate.get("finishReason")):
            self.stop(stop_of(reason, self._called), found)

    def stop(self, why: StopReason, found: list[Event]) -> None:
        """Add the events of its end, if it has not ended yet."""
        if not self.stopped:
            self._close(found)
            self.stopped = True
            found.append(Stopped(why, choice=self._number))

    def _say(self, made: Text | Thinking, logprobs: dict[str, Any] | None, found: list[Event]) -> None:
        if self._open is not type(made):
            self._close(found)
            self._index += 1
            self._open = type(made)
            begun = Text("") if isinstance(made, Text) else Thinking(by="gemini")
            found.append(Started(self._index, begun, self._number))
        signature = made.signature if isinstance(made, Thinking) else ""
        found.append(Delta(self._index, made.text, signature, self._number, logprobs))

    def _call(self, made: ToolCall, found: list[Event]) -> None:
        self._close(found)
        self._index += 1
        self._called = True
        found.append(Started(self._index, ToolCall(made.id, made.name, "", made.signature), self._number))
        found.append(Delta(self._index, made.arguments, choice=self._number))
        found.append(Ended(self._index, self._number))

    def _close(self, found: list[Event]) -> None:
        if self._open is not None:
            self._open = None
            found.append(Ended(self._index, self._number))
