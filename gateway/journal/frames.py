"""The bytes of a journal: a header per segment, then length- and checksum-framed batches of records."""

import contextlib
import re
import struct
from collections.abc import Sequence
from zlib import crc32

import msgspec

from gateway.journal.records import Record

MAGIC = b"ATRJ"
VERSION = 1
MAX_PAYLOAD = 1 << 20  # a batch of records is a few hundred bytes; a longer length is damage

_HEADER = struct.Struct(">4sHHQ")  # magic, version, flags (0), logical offset of this segment's first byte
_CHECK = struct.Struct(">I")
_LENGTH = struct.Struct(">II")  # payload length, CRC32 of the payload
_FRAME = struct.Struct(">III")  # these two, CRC32 of them
HEADER_BYTES = _HEADER.size + _CHECK.size
FRAME_BYTES = _FRAME.size
LENGTH_BYTES = 4  # how a frame begins; put last, and never 0: nothing stands where these are

_ANY_LENGTH = b"\0"  # how every length begins, as none is longer than MAX_PAYLOAD
_SOMETHING = re.compile(rb"[^\0]")
_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(list[Record]).decode
_unpack = _FRAME.unpack_from
_CHECKED_BYTES = _LENGTH.size


class JournalError(Exception):
    """The journal cannot be written or opened. The message says what happened and what to do."""


class JournalDamagedError(JournalError):
    """Bytes of a journal do not check, and it is no torn tail. `offset` is where the damage begins (logical bytes)."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(f"The journal {path} is damaged at offset {offset}: {what}.")
        self.path = path
        self.offset = offset
        self.what = what


class TornError(Exception):
    """The bytes end within a frame, or it has no length: what an append leaves that was cut off, or never was."""


def header(base: int) -> bytes:
    """Return the header of a segment whose first byte has the logical offset `base`."""
    body = _HEADER.pack(MAGIC, VERSION, 0, base)
    return body + _CHECK.pack(crc32(body))


def read_header(data: bytes) -> int:
    """Return the logical offset in a segment's header. Raises TornError when it is cut off, ValueError when wrong."""
    if len(data) < HEADER_BYTES or not any(data[:HEADER_BYTES]):  # or allocated, and nothing reached the disk
        raise TornError
    magic, version, _, base = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("the header is not a journal's")
    if crc32(data[: _HEADER.size]) != _CHECK.unpack_from(data, _HEADER.size)[0]:
        raise ValueError("the header does not match its checksum")
    if version != VERSION:
        raise ValueError(f"version {version} of the format is not known here")
    return int(base)


def encode(records: Sequence[Record]) -> bytes:
    """Return one frame that holds all of `records`: it is read back wholly or not at all.

    The length has a checksum of its own, so that a flipped bit in it is not taken for a torn tail.
    """
    payload = _encoder.encode(records)
    if len(payload) > MAX_PAYLOAD:
        raise JournalError(
            f"A journal entry of {len(payload)} bytes is longer than {MAX_PAYLOAD}. Append fewer records."
        )
    length, checksum = len(payload), crc32(payload)
    return _FRAME.pack(length, checksum, crc32(_LENGTH.pack(length, checksum))) + payload


def find(data: bytes, position: int) -> int:
    """Return where the next whole frame at or after `position` begins, -1 if there is none: the way past damage."""
    while (position := data.find(_ANY_LENGTH, position)) >= 0 and len(data) - position >= FRAME_BYTES:
        length, checksum, length_checksum = _unpack(data, position)
        if length_checksum == crc32(data[position : position + _CHECKED_BYTES]):
            with contextlib.suppress(TornError, ValueError):
                decode(data, position)
                return position
        elif not (length or checksum or length_checksum):  # a hole full of zeros is passed in one go
            something = _SOMETHING.search(data, position)
            position = max(position, something.start() - FRAME_BYTES if something else len(data))
        position += 1
    return -1


def decode(data: bytes, position: int) -> tuple[list[Record], int]:
    """Return the records of the frame at `position`, and the position after it.

    Raises TornError when there is none or only part of one, ValueError when the bytes do not check.
    """
    start = position + FRAME_BYTES
    if len(data) < start:
        raise TornError
    length, checksum, length_checksum = _unpack(data, position)
    if not length:
        raise TornError
    if crc32(data[position : position + _CHECKED_BYTES]) != length_checksum:
        raise ValueError("a length does not match its checksum")
    end = start + length
    payload = data[start:end]
    if crc32(payload) != checksum:
        if len(payload) < length:
            raise TornError
        raise ValueError("an entry does not match its checksum")
    try:
        return _decode(payload), end
    except msgspec.MsgspecError:
        raise ValueError("an entry does not hold known records") from None
