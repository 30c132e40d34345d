"""Decompression under a cap, in both directions: a small body that unpacks to gigabytes is refused on the way."""

import zlib
from collections.abc import Iterator
from typing import ClassVar

from gateway.errors import EncodingError, RequestError, TooLargeError

PIECE = 64 << 10


class DecodingError(Exception):
    """The bytes are not what their content encoding says."""


class Inflater:
    """Decompresses `gzip` or `deflate` piece by piece, never more than 64 KiB at a time."""

    ENCODINGS: ClassVar = frozenset({"gzip", "x-gzip", "deflate"})

    def __init__(self, encoding: str) -> None:
        self._wbits = 31 if encoding in {"gzip", "x-gzip"} else 15
        self._unpacker = zlib.decompressobj(self._wbits)
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to. Raises DecodingError."""
        while data:
            try:
                piece = self._unpacker.decompress(data, PIECE)
            except zlib.error as error:
                if self._wbits != 15 or self._started:
                    raise DecodingError(str(error)) from None
                self._wbits = -15  # "deflate" without its wrapper, which RFC 9110 warns of
                self._unpacker = zlib.decompressobj(self._wbits)
                continue
            self._started = True
            if piece:
                yield piece
            data = self._unpacker.unconsumed_tail
            if self._unpacker.eof and (data := self._unpacker.unused_data):
                self._unpacker = zlib.decompressobj(self._wbits)  # gzip may have several members

    @property
    def complete(self) -> bool:
        """Whether the last bytes ended what began."""
        return self._unpacker.eof or not self._started


def decode_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a request's body decoded. Raises EncodingError (415), TooLargeError (413), RequestError (400)."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in Inflater.ENCODINGS:
        raise EncodingError(
            "The body's content-encoding is not supported. Send it as gzip, deflate or uncompressed.",
            headers=(("accept-encoding", "gzip, deflate"),),
        )
    inflater, pieces, size = Inflater(name), [], 0
    try:
        for piece in inflater.feed(body):
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            pieces.append(piece)
    except DecodingError:
        raise RequestError(
            f"The body is not {name}, as its content-encoding says. Check how it is compressed."
        ) from None
    if not inflater.complete:
        raise RequestError(f"The {name} body ends too early. Send it again.")
    return b"".join(pieces)


def too_large(limit: int) -> TooLargeError:
    """Return the error of a body beyond `limit` bytes."""
    return TooLargeError(
        f"The request's body is larger than {limit >> 20 or limit} {'MiB' if limit >> 20 else 'bytes'}, the most this "
        "gateway takes. Send less, for example smaller images."
    )
