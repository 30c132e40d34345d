"""Server-sent events as bytes: cut a stream at the ends of its events, however the network cut it."""

import re
from collections.abc import Iterator

MAX_HELD = 256 << 10  # an unfinished event longer than this is passed on in pieces, unread

_EVENT_END = re.compile(rb"\n\n|\n\r\n|\r\r")
_DATA = re.compile(rb"(?:\A|[\r\n])data:[ ]?([^\r\n]*)")


class EventBuffer:
    """Gives out whole events and holds the unfinished rest, boundedly.

    An event longer than `max_held` is given out in pieces up to its end: `inside` is true in between.
    """

    __slots__ = ("_held", "_max_held", "inside")

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self._held = b""
        self._max_held = max_held
        self.inside = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return all that is complete by now."""
        if not self._held and data.endswith(b"\n\n"):
            self.inside = False
            return data
        held = self._held + data if self._held else data
        end = last_end(held)
        if end:
            self.inside = False
        if len(held) - end > self._max_held:
            # a separator may be cut in two at the end, so its first bytes stay
            self.inside = True
            end = len(held) - 2
        self._held = held[end:]
        return held[:end]

    def rest(self) -> bytes:
        """Return what is held of an event that never ended, and forget it."""
        rest, self._held = self._held, b""
        return rest


def last_end(block: bytes) -> int:
    """Return the position after the last event that is complete in `block`; 0 when there is none."""
    end = block.rfind(b"\n\n") + 2
    if b"\r" in block:
        end = max(end, block.rfind(b"\n\r\n") + 3 if b"\n\r\n" in block else 0, block.rfind(b"\r\r") + 2)
    return end if end > 1 else 0


def events(block: bytes) -> Iterator[bytes]:
    """Cut a block of whole events into single ones, separators included: joined, they are the block again."""
    start = 0
    for match in _EVENT_END.finditer(block):
        yield block[start : match.end()]
        start = match.end()
    if start < len(block):
        yield block[start:]


def data_of(event: bytes) -> bytes:
    """Return the data of one event; several data lines are joined by a line feed, as the standard says."""
    return b"\n".join(_DATA.findall(event))
