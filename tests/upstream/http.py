"""Reading requests and framing answers over a plain socket, so that every byte, right or wrong, is ours."""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Callable
from http import HTTPStatus

from tests.upstream.ledger import Received


async def read_request(reader: asyncio.StreamReader, number: Callable[[], int], connection: int) -> Received | None:
    """Return the next request of a connection; None when the client closed it, or went away within a request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        pairs = (line.split(":", 1) for line in lines[1:] if line)
        headers = tuple((name.strip().lower(), value.strip()) for name, value in pairs)
        body = await _read_body(reader, dict(headers))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Received(number(), head, method, target, headers, body, connection)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()
    return body


def head(status: int, headers: dict[str, str]) -> bytes:
    """Return the head of an answer."""
    phrase = "Overloaded" if status == 529 else HTTPStatus(status).phrase  # Anthropic's own
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def compressed(data: bytes, encoding: str) -> bytes:
    """Compress a body by `gzip`, `deflate` or not at all."""
    if encoding == "gzip":
        return gzip.compress(data)
    return zlib.compress(data) if encoding == "deflate" else data


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with RST, as a crashed server does, once what was written has left."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
