"""The fake provider.

Answers a chat completion at once, or with a stream: 200 chunks at full flow, one write each, or, when the request asks
for it, 50 chunks with 100 ms between them. As lean as asyncio gets, so that it is not what is measured.
"""

import asyncio
import ssl
from pathlib import Path
from typing import cast

from benchmarks import work

PACED_CHUNKS = 50
PACE_S = 0.1
_HEAD = b"HTTP/1.1 200 OK\r\nserver: fake\r\ncontent-type: "


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_BODY = work.answer()
_WHOLE = _HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
_STREAM = _HEAD + b"text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENTS = [_chunked(event) for event in work.events()]
_LAST = b"".join(_EVENTS[work.CHUNKS :]) + b"0\r\n\r\n"  # end, usage and [DONE] come together, as providers send them


class Answering(asyncio.Protocol):
    """One connection. Requests are answered in turn; a body may come by length or in chunks."""

    __slots__ = ("_buffer", "_loop", "_sent", "_timer", "_transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = cast(asyncio.WriteTransport, transport), b""
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._sent = 0

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or not _complete(data, end):
            return
        self._buffer = b""
        if not work.is_streamed(data):
            self._transport.write(_WHOLE)
            return
        self._transport.write(_STREAM)
        self._sent = 0
        self._next(PACED_CHUNKS if work.is_paced(data) else work.CHUNKS, PACE_S if work.is_paced(data) else 0.0)

    def _next(self, chunks: int, pace_s: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_EVENTS[self._sent])
        self._sent += 1
        if self._sent == chunks:
            self._transport.write(_LAST)
        elif pace_s:
            self._timer = self._loop.call_later(pace_s, self._next, chunks, pace_s)
        else:
            self._timer = self._loop.call_soon(
                self._next, chunks, pace_s
            )  # the next turn of the loop: a write of its own


def _complete(data: bytes, end: int) -> bool:
    start = data.find(b"ontent-", 0, end)
    while start >= 0:
        if data[start + 7 : start + 14].lower() == b"length:":
            length = int(data[start + 14 : data.index(b"\r\n", start)])
            return len(data) >= end + length
        start = data.find(b"ontent-", start + 7, end)
    return data.endswith(b"0\r\n\r\n") or b"chunked" not in data[:end].lower()


async def listen(port: int, tls_port: int, cert: Path, key: Path) -> list[asyncio.Server]:
    """Answer on this loop, for as long as it runs."""
    loop, context = asyncio.get_running_loop(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return [
        await loop.create_server(Answering, "127.0.0.1", port, backlog=2048),
        await loop.create_server(Answering, "127.0.0.1", tls_port, ssl=context, backlog=2048),
    ]
