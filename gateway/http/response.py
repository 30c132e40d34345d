"""An answer as pure code: bytes of the connection in, head and body out, no I/O.

httptools (llhttp) judges heads and chunks, strictly. What it leaves open is settled here: how long a head may be, which
bodies only the end of the connection ends, and whether anything follows the end.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_BYTES = 64 << 10  # interim heads included
HEAD_LINES = 256

_BEGIN = b"HTTP/1."
_END = b"\r\n\r\n"
_UNTIL_CLOSE = -1
_CHUNKED = -2


class ProtocolError(Exception):
    """The other side does not keep to HTTP/1.1. `body`: what was good before that."""

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body


class Headers(Mapping[str, str]):
    """Fields by lower-case name, decoded when asked for; of a repeated one the last."""

    __slots__ = ("_head", "_lower")

    def __init__(self, head: bytes) -> None:
        """`head` has been judged valid."""
        self._head = head
        self._lower = head.lower()

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value: what `Mapping.get` does by an exception, which most look-ups would raise."""
        needle = _needle(name)
        at = self._lower.rfind(needle)
        if at < 0:
            return default
        at += len(needle)
        return self._head[at : self._head.index(b"\r\n", at)].strip(b" \t").decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        names = (line.partition(b":")[0].decode("ascii") for line in self._lower.split(b"\r\n")[1:-2])
        return iter(dict.fromkeys(names))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def repeated(self, name: str) -> bool:
        """Say whether there is more than one such field."""
        return self._lower.count(_needle(name)) > 1


@lru_cache(maxsize=256)
def _needle(name: str) -> bytes:
    return b"\r\n%b:" % name.encode()


class ResponseParser:
    """One answer. `status` is 0 and `headers` empty until the head is there; `complete` says that the body is, too.

    `reusable`: the connection may carry another request once this is complete.
    """

    __slots__ = (
        "_ended",
        "_heads",
        "_left",
        "_parser",
        "_pieces",
        "_raw",
        "_silent",
        "_status",
        "complete",
        "headers",
        "reusable",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.complete = False
        self.reusable = False
        self._raw = b""  # a head that is not whole; later the last bytes of chunks
        self._heads = 0  # bytes of heads so far
        self._silent = 0  # bytes of chunks since the last that brought anything
        self._left = 0  # of the body, where its length is known
        self._status = 0
        self._ended = False  # as the parser says
        self._pieces: list[bytes] = []
        self._parser: HttpResponseParser | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection; return what they add to the body. Raises ProtocolError."""
        if not self.status and not (data := self._read_heads(data)):
            return b""
        if self.complete:
            self.reusable = self.reusable and not data
            return b""
        if self._left == _UNTIL_CLOSE:
            return data
        if self._left == _CHUNKED:
            return self._read_chunks(data)
        self._left -= len(data)
        if self._left > 0:
            return data
        self.complete = True
        if self._left == 0:
            return data
        self.reusable = False
        return data[: self._left]

    def eof(self) -> bool:
        """Take note that the connection has ended; return whether that was the end of the answer."""
        self.complete = self.complete or (self.status != 0 and self._left == _UNTIL_CLOSE)
        return self.complete

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return bool(self.status or self._heads or self._raw)

    def _read_heads(self, data: bytes) -> bytes:
        """Return what follows the final head, nothing while that is not whole."""
        while data:
            start = max(0, len(self._raw) - 3)
            data = self._raw + data if self._raw else data
            end = data.find(_END, start) + 4
            if self._heads + max(end, len(data) if end < 4 else 0) > HEAD_BYTES:
                raise ProtocolError("the head is too large")
            if not data.startswith(_BEGIN[: len(data)]):
                raise ProtocolError("not HTTP/1")
            if end < 4:
                if data.count(b"\n") != data.count(b"\r\n"):
                    raise ProtocolError("a line without its end")  # its end would be waited for in vain
                self._raw = data
                return b""
            self._raw, self._heads = b"", self._heads + end
            self._read_head(data[:end])
            data = data[end:]
            if self.status:
                break
        return data

    def _read_head(self, head: bytes) -> None:
        if head.count(b"\r\n") > HEAD_LINES:
            raise ProtocolError("too many headers")
        self._parser, self._status = HttpResponseParser(self), 0
        self._judge(head)
        status, ended = self._status, self._ended
        if status < 200:
            if status < 100 or status == 101 or not ended:
                raise ProtocolError("an interim answer that was not asked for")
            self._parser, self._ended = None, False
            return
        headers = Headers(head)
        encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if encoding is not None and (encoding.lower() != "chunked" or headers.repeated("transfer-encoding")):
            raise ProtocolError("a transfer encoding nobody asked for")
        if status in {204, 304}:
            self.complete = True
            self.reusable = self.reusable and ended
        elif encoding is not None:
            self._left = _CHUNKED
        elif length is not None:
            self._left = int(length)
            self.complete = self._left == 0
        else:
            self._left = _UNTIL_CLOSE
        if self._left != _CHUNKED:
            self._parser = None
        self.status, self.headers = status, headers

    def _read_chunks(self, data: bytes) -> bytes:
        self._raw = data[-5:] if len(data) > 4 else (self._raw + data)[-5:]
        try:
            self._judge(data)
        except ProtocolError as error:
            if not self._ended:
                raise ProtocolError(str(error), b"".join(self._pieces)) from None
            self.reusable = False  # what follows the end is no answer
        pieces, self._pieces = self._pieces, []
        if self._ended:
            self.complete, self._parser = True, None
            # llhttp skips empty lines between messages; the last line of chunks is not empty, so more of them show.
            if not self._raw.endswith(_END) or self._raw[:1] in b"\r\n":
                self.reusable = False
        elif pieces:
            self._silent = 0
        else:
            self._silent += len(data)
            if self._silent > HEAD_BYTES:
                raise ProtocolError("chunks without end")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _judge(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]
        except (HttpParserError, HttpParserUpgrade) as error:
            raise ProtocolError(type(error).__name__) from None

    def on_headers_complete(self) -> None:
        """Note what httptools knows at this moment only."""
        if self._ended:
            self.reusable = False  # another answer behind this one
        elif self._parser is not None:
            self._status = self._parser.get_status_code()
            self.reusable = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Keep the data of a chunk."""
        if not self._ended:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end of the chunks, or of a head that no body follows."""
        self._ended = True
