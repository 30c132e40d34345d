"""AWS's binary event streams: frames of headers and a payload, each with two checksums.

Source: "Event stream encoding", Amazon Transcribe Developer Guide, and botocore's eventstream module for the limits.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final
from zlib import crc32

import msgspec

from gateway.errors import UpstreamError

MAX_FRAME: Final = 4 << 20  # bytes; what ConverseStream sends is far smaller
MAX_HEADERS: Final = 128 << 10
PRELUDE: Final = 12
LEAST: Final = 16
_WIDTHS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # header types of a fixed size
_BYTES, _TEXT = 6, 7
_NUMBERS = struct.Struct(">III")


class Frame(msgspec.Struct, frozen=True):
    """One message. `headers` holds those that are text; `raw` is the frame as it came."""

    headers: Mapping[str, str]
    payload: bytes
    raw: bytes


class FrameBuffer:
    """Gives out whole frames, however the network cut them, and holds at most one unfinished."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes. Those before a damaged frame, or one longer than any that is expected, are given out.

        Then UpstreamError is raised.
        """
        held, start = self._held + data if self._held else data, 0
        while len(held) - start >= PRELUDE:
            size = _checked_size(held, start)
            if len(held) - start < size:
                break
            yield _frame(held[start : start + size])
            start += size
        self._held = held[start:]


def encoded(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return a frame with these headers, which are text."""
    block = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value
        for name, value in ((name.encode(), value.encode()) for name, value in headers.items())
    )
    prelude = struct.pack(">II", LEAST + len(block) + len(payload), len(block))
    frame = prelude + struct.pack(">I", crc32(prelude)) + block + payload
    return frame + struct.pack(">I", crc32(frame))


def _checked_size(held: bytes, start: int) -> int:
    size, headers_size, checksum = _NUMBERS.unpack_from(held, start)
    if crc32(held[start : start + 8]) != checksum:
        raise _damaged()
    if not LEAST + headers_size <= size <= MAX_FRAME or headers_size > MAX_HEADERS:
        raise _damaged()
    return int(size)


def _frame(raw: bytes) -> Frame:
    (checksum,) = struct.unpack_from(">I", raw, len(raw) - 4)
    if crc32(raw[:-4]) != checksum:
        raise _damaged()
    (headers_size,) = struct.unpack_from(">I", raw, 4)
    end = PRELUDE + headers_size
    try:
        headers = _headers(raw[PRELUDE:end])
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        raise _damaged() from None
    return Frame(headers, raw[end:-4], raw)


def _headers(block: bytes) -> dict[str, str]:
    found, at = {}, 0
    while at < len(block):
        size = block[at]
        name, at = block[at + 1 : at + 1 + size].decode(), at + 1 + size
        kind, at = block[at], at + 1
        if kind in (_BYTES, _TEXT):
            (length,) = struct.unpack_from(">H", block, at)
            at += 2
        else:
            length = _WIDTHS[kind]
        if at + length > len(block):
            raise IndexError("a header's value goes beyond the headers")
        if kind == _TEXT:
            found[name] = block[at : at + length].decode()
        at += length
    return found


def _damaged() -> UpstreamError:
    return UpstreamError("The provider's stream is damaged: a frame does not match its checksum or length. Try again.")
