"""How responses look on the wire (RFC 9112). Pure functions from values to bytes."""

from functools import lru_cache
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.types import Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
PATHS_KEPT, PATH_KEPT_BYTES = 1024, 256

_line = b"%b: %b\r\n".__mod__  # mapped over headers it runs in C


def head(status: int, preamble: bytes, headers: Headers, framing: bytes) -> bytes:
    """Return the head of a response. `preamble` and `framing` are complete header lines of our own.

    Raises ValueError when a header holds a line break or NUL: it would be read as something else.
    """
    lines = b"".join(map(_line, headers))
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise ValueError("a header of the response holds a control character")
    return b"%b%b%b%b\r\n" % (STATUS_LINE[status], preamble, lines, framing)


def chunk(data: bytes) -> bytes:
    """Return a piece of a body in chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def path_of(url: bytes) -> str:
    """Return the decoded path of a request target. Raises ValueError, or httptools' error, when it has none."""
    return _kept(url) if len(url) <= PATH_KEPT_BYTES else _path(url)


def _path(url: bytes) -> str:
    path = (httptools.parse_url(url).path or b"/").decode("ascii")
    return unquote(path) if "%" in path else path


_kept = lru_cache(maxsize=PATHS_KEPT)(_path)
