"""A client's format to a provider of another dialect, through the canonical form."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.dialects.canonical import (
    Answer,
    Begun,
    Delta,
    Event,
    Failed,
    Finished,
    Part,
    Request,
    Started,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.openai_usage import MAX_FRAGMENTS
from gateway.ids import new_id
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage


class EventWriter(Protocol):
    """Writes one streamed answer in a client's format."""

    def write(self, events: list[Event]) -> bytes:
        """Return the bytes of these events. Never gets `Failed`; `Finished` is the last."""
        ...


class EventReader(Protocol):
    """Reads one streamed answer of a provider, however the network cut it."""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that are complete by now. `Used.usage` holds all that is known by then."""
        ...

    def end(self) -> list[Event]:
        """The provider has ended: return what is left; `Finished` only if the answer is complete."""
        ...


class ClientFormat(Protocol):
    """One format of clients, as translation needs it."""

    def read(self, request: ParsedRequest) -> Request:
        """Read a request whole. Raises RequestError for what the canonical form cannot hold, naming the parameter."""
        ...

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """Write a whole answer."""
        ...

    def writer(self, request: ParsedRequest) -> EventWriter:
        """Return what writes a streamed answer."""
        ...


class ProviderFormat(Protocol):
    """One format of providers, as translation needs it."""

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """Write a request. Raises RequestError (`canonical.cannot`) for what the dialect cannot say."""
        ...

    def read(self, body: bytes) -> Answer | Failed | None:
        """Read a whole answer, or the provider's error in it. None when it is not one of this dialect."""
        ...

    def reader(self, choices: int) -> EventReader:
        """Return what reads a streamed answer to a request for so many."""
        ...


class Translated:
    """See `Lane`."""

    def __init__(self, client: ClientFormat, provider: ProviderFormat) -> None:
        self._client, self._provider = client, provider

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        asked = self._client.read(request)
        asked.model = deployment.upstream_model
        return self._provider.write(asked, deployment, cap)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        answer = self._provider.read(body)
        if answer is None:
            return None
        if isinstance(answer, Failed):
            return Whole(b"", None, answer.error, answer.status)
        answer.id, answer.model = answer.id or new_id("msg"), answer.model or request.model  # Converse says neither
        generated = Generated()
        if answer.usage is None:
            for choice in answer.choices:
                for part in choice.parts:
                    generated.add(part)
        return Whole(self._client.answer(request, answer), answer.usage, made=generated.fragments())

    def stream(self, request: ParsedRequest) -> "TranslatedStream":
        """See `Lane.stream`."""
        return TranslatedStream(self._provider.reader(request.choices), self._client.writer(request), request.model)


class Generated:
    """Keeps what a model generated, so that it can be counted where the provider does not say."""

    __slots__ = ("_kept", "_texts", "size")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._kept = 0
        self.size = 0  # bytes, of what is not kept, too

    def add(self, part: Part) -> None:
        """Take a part of an answer, or what is known of one that begins."""
        if isinstance(part, Text | Thinking):
            self.say(part.text)
        elif isinstance(part, ToolCall):
            self.say(part.name)
            self.say(part.arguments)

    def say(self, text: str) -> None:
        """Take more of a part."""
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        self.size += size
        if text and self._kept < MAX_FRAGMENTS:
            self._kept += size
            self._texts.append(text)

    def fragments(self) -> list[bytes]:
        """Return it as JSON-escaped pieces."""
        joined = "".join(self._texts).encode("utf-8", "replace").decode()
        self._texts = [joined] if joined else []
        return [msgspec.json.encode(joined)[1:-1]] if joined else []


class TranslatedStream:
    """See `Stream`."""

    __slots__ = ("_generated", "_model", "_reader", "_writer", "done", "error", "prompt_usage", "usage")

    def __init__(self, reader: EventReader, writer: EventWriter, model: str) -> None:
        self._reader, self._writer, self._model = reader, writer, model
        self._generated = Generated()
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        return self._pass(self._reader.feed(data))

    def end(self) -> bytes:
        """See `Stream.end`."""
        return self._pass(self._reader.end())

    def cut(self) -> bytes:
        """Each write is of whole events."""
        return b""

    @property
    def made(self) -> int:
        """See `Stream.made`."""
        return self._generated.size

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return self._generated.fragments()

    def _pass(self, events: list[Event]) -> bytes:
        if self.done or self.error is not None:
            return b""
        passed: list[Event] = []
        for event in events:
            if isinstance(event, Delta):
                self._generated.say(event.text)
            elif isinstance(event, Started):
                self._generated.add(event.part)
            elif isinstance(event, Failed):
                self.error = event.error | {"code": event.status} if event.status != 502 else event.error
                break
            elif isinstance(event, Begun):
                event.id, event.model = event.id or new_id("msg"), event.model or self._model
                self.prompt_usage = event.usage
            elif isinstance(event, Used):
                self.usage = event.usage
            passed.append(event)
            if isinstance(event, Finished):
                self.done = True
                break
        return self._writer.write(passed) if passed else b""
