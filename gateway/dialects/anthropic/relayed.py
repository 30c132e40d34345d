"""A streamed message on its way through: relayed as it comes, read only where it must be."""

import re
from typing import Any

from gateway.dialects.anthropic.errors import error_of
from gateway.dialects.anthropic.usage import merged, tells_output, usage_of
from gateway.dialects.openai_usage import Collector
from gateway.dialects.shapes import answered
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

# Quotes within texts are escaped, so these are members of the events themselves.
_READ = re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"')


class MessagesStream:
    """See `Stream`. Bytes are not changed; an error event and all that follows it is held back."""

    __slots__ = ("_buffer", "_collector", "_known", "done", "error", "prompt_usage", "usage")

    def __init__(self) -> None:
        self._buffer = EventBuffer()
        self._collector = Collector()
        self._known: dict[str, Any] = {}
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        block = self._buffer.feed(data)
        if self.error is not None:
            return b""
        if _READ.search(block):
            block = self._read(block)
        if block:
            self._collector.add(block)
        return block

    def end(self) -> bytes:
        """See `Stream.end`. An event without its blank line still counts."""
        rest, inside = self._buffer.rest(), self._buffer.inside
        if inside:
            return rest
        return self.feed(rest + b"\n\n") if rest.strip() else b""

    def cut(self) -> bytes:
        """See `Stream.cut`."""
        return b"\n\n" if self._buffer.inside else b""

    @property
    def made(self) -> int:
        """See `Stream.made`."""
        return self._collector.size

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return self._collector.collect()

    def _read(self, block: bytes) -> bytes:
        """Take note of what the events say of themselves; return those before an error."""
        kept = []
        for event in events(block):
            if _READ.search(event):
                given = answered(data_of(event)) or {}
                kind = given.get("type")
                if kind == "error":
                    error, status = error_of(given.get("error"))
                    self.error = error | {"code": status}
                    break
                self._note(str(kind), given)
            kept.append(event)
        return b"".join(kept)

    def _note(self, kind: str, given: dict[str, Any]) -> None:
        """Take the prompt's usage from the start; with the answer's it is whole, and only then it counts as said."""
        if kind == "message_start" and isinstance(given.get("message"), dict):
            self._known = merged({}, given["message"].get("usage"))
            self.prompt_usage = usage_of(self._known)
        elif kind == "message_delta" and tells_output(given.get("usage")):
            self._known = merged(self._known, given["usage"])
            self.usage = usage_of(self._known)
        self.done = self.done or kind == "message_stop"
