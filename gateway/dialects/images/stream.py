"""Images that are streamed: each event is a whole picture of up to many megabytes, relayed as it is.

Events: `image_generation.partial_image`, `image_generation.completed`, and `image_edit.…`. Source: openai 3.52.0,
`types/image_gen_stream_event.py` and `types/image_edit_stream_event.py`.
"""

from collections.abc import Iterator

from gateway.dialects.images.usage import said, usage_of
from gateway.dialects.sse import data_of, last_end
from gateway.types import Usage

MAX_NAMES = 1 << 10  # bytes of an event before its data
MAX_EVENT = 32 << 20  # bytes, as of an answer in one piece; a larger one is passed on in pieces, unread


class LongEvents:
    """Gives out whole events. Pieces are joined once an event ends, so a long one costs no more than its length."""

    __slots__ = ("_most", "_pieces", "_size", "_tail", "inside")

    def __init__(self, most: int = MAX_EVENT) -> None:
        self._most, self._pieces, self._size, self._tail = most, list[bytes](), 0, b""
        self.inside = False  # an event longer than `most` is under way

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return all that is complete by now."""
        seen = self._tail + data  # an end may be cut in two
        end = last_end(seen)
        if not end:
            self._hold(data, seen)
            return self._pieces_of_too_long() if self._size > self._most else b""
        self.inside = False
        whole = b"".join([*self._pieces, data])
        cut = len(whole) - len(seen) + end
        self._pieces, self._size, self._tail = [], 0, b""
        if cut < len(whole):
            self._hold(whole[cut:], whole[cut:])
        return whole[:cut]

    def rest(self) -> bytes:
        """Return what is held of an event that never ended, and forget it."""
        held, self._pieces, self._size, self._tail = b"".join(self._pieces), [], 0, b""
        return held

    def _hold(self, data: bytes, seen: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._tail = seen[-3:]

    def _pieces_of_too_long(self) -> bytes:
        tail = self._tail
        held = self.rest()
        self._hold(held[-len(tail) :], tail)
        self.inside = True
        return held[: -len(tail)]


class ImageStream:
    """See `Stream`. An error event and all that follows it is held back."""

    __slots__ = ("_events", "_unread", "done", "error", "prompt_usage", "usage")

    made = 0  # nothing here is text, so nothing is counted by its size

    def __init__(self, most: int = MAX_EVENT) -> None:
        self._events = LongEvents(most)
        self._unread = False  # a picture has passed that was too long to be read
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`."""
        if self.error is not None:
            return b""
        inside = self._events.inside
        block = self._events.feed(data)
        if inside or self._events.inside:
            self._unread = True
            return block
        kept = []
        for event in _cut(block):
            self._read(event)
            if self.error is not None:
                break
            kept.append(event)
        return block if self.error is None else b"".join(kept)

    def end(self) -> bytes:
        """See `Stream.end`. An event without its blank line still counts."""
        rest, inside = self._events.rest(), self._events.inside
        if not inside:
            rest = self.feed(rest + b"\n\n") if rest.strip() else b""
        if self._unread and not self.done and self.error is None:
            self.usage, self.done = usage_of(None, 1), True
        return rest

    def cut(self) -> bytes:
        """See `Stream.cut`."""
        return b"\n\n" if self._events.inside else b""

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return []

    def _read(self, event: bytes) -> None:
        answer = said(_data_of(event))
        if answer is None:
            return
        if answer.error or answer.type == "error":
            self.error = answer.error or {"message": "The provider ended its stream by an error."}
        elif answer.type.endswith(".completed"):
            self.usage, self.done = usage_of(answer.usage, 1), True


def _cut(block: bytes) -> Iterator[bytes]:
    """Yield the events of a block, their ends included, without looking at each byte of a picture."""
    if b"\r" in block:  # only who ends lines so has any: JSON escapes it
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = 0
    while (end := block.find(b"\n\n", start)) >= 0:
        yield block[start : end + 2]
        start = end + 2


def _data_of(event: bytes) -> bytes:
    """Return the data of an event. Where all of it stands on one line, as always here, no byte of a picture is searched."""
    start = 0 if event.startswith(b"data:") else event.find(b"\ndata:", 0, MAX_NAMES) + 1
    if not event.startswith(b"data:", start) or event.find(b"\n", start) != len(event) - 2:
        return data_of(event)
    return event[start + 5 : -2]
