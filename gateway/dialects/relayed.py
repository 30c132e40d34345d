"""A stream whose client and provider speak one format: relayed as it comes, read only where it must be."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from gateway.dialects.openai_usage import Collector, generated
from gateway.dialects.sse import MAX_HELD, EventBuffer
from gateway.types import Usage


class RelayedStream(ABC):
    """See `Stream`. Bytes are not changed; an error event and all that follows it is held back.

    A format says in `reads` what events look like that tell of the answer itself, and takes note of them in `read`.
    """

    __slots__ = ("_buffer", "_collector", "done", "error", "prompt_usage", "usage")

    reads: ClassVar[re.Pattern[bytes]]

    def __init__(self, max_event: int = MAX_HELD, find: Callable[[bytes], list[bytes]] = generated) -> None:
        """`find` returns what a block of whole events generated."""
        self._buffer = EventBuffer(max_event)
        self._collector = Collector(find)
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    @abstractmethod
    def read(self, block: bytes) -> bytes:
        """Take note of what a block of whole events says of the answer; return those before an error."""

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        block = self._buffer.feed(data)
        if self.error is not None:
            return b""
        if self.reads.search(block):
            block = self.read(block)
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
