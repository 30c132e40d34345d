"""A streamed response on its way through: relayed as it comes, read only where it must be."""

import re
from typing import Any

from gateway.dialects.openai_answer import as_detail
from gateway.dialects.openai_usage import Collector
from gateway.dialects.responses.usage import deltas, usage_of
from gateway.dialects.shapes import answered
from gateway.dialects.sse import EventBuffer, data_of, events
from gateway.types import Usage

MAX_EVENT = 8 << 20  # bytes; the last event says the whole response again
FAILED = "The provider says that the response failed."
# Quotes within texts are escaped, so these are members of the events themselves.
_READ = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
_ENDS = ("response.completed", "response.incomplete")


class ResponsesStream:
    """See `Stream`. Bytes are not changed; an event that says a failure, and all that follows it, is held back."""

    __slots__ = ("_buffer", "_collector", "done", "error", "prompt_usage", "usage")

    def __init__(self) -> None:
        self._buffer = EventBuffer(MAX_EVENT)
        self._collector = Collector(deltas)
        self.prompt_usage: Usage | None = None  # the usage of a response that has begun is null
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
        """Take note of how the response ended; return the events before a failure."""
        kept = []
        for event in events(block):
            if _READ.search(event):
                given = answered(data_of(event)) or {}
                response = given.get("response")
                response = response if isinstance(response, dict) else {}
                self.usage = usage_of(response.get("usage")) or self.usage
                self.done = self.done or given.get("type") in _ENDS
                if given.get("type") == "error":
                    self.error = error_of(given.get("error") or given)
                elif given.get("type") == "response.failed":
                    self.error = error_of(response.get("error"))
                if self.error is not None:
                    break
            kept.append(event)
        return b"".join(kept)


def error_of(given: object) -> dict[str, Any]:
    """Return the error object of a response or of an event, with a message."""
    detail = as_detail(given)
    said = {name: detail[name] for name in ("message", "code", "param") if detail.get(name)}
    kind = detail.get("type")
    return {"message": FAILED} | said | ({"type": kind} if kind and kind != "error" else {})
