"""A provider on a real socket, in the test's own loop: each test says byte by byte what it does."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self

from gateway.types import UpstreamRequest
from gateway.upstream import UpstreamResponse
from tests.factories.gateway import deployment

HELLO = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello"
Serve = Callable[["Line"], Awaitable[None]]


class Line:
    """A connection as the provider sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number = reader, writer, number
        self.requests: list[bytes] = []
        self.ended = asyncio.Event()

    async def request(self) -> bytes:
        """Read a request, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.requests.append(head + await self.reader.readexactly(length))
        return self.requests[-1]

    async def send(self, *pieces: bytes) -> None:
        """Write the pieces, each by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.001)

    async def gone(self) -> None:
        """Return when the other side has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


async def hello(line: Line) -> None:
    """Answer every request in the same way."""
    while True:
        await line.request()
        await line.send(HELLO)


class Provider:
    """Use as an async context manager; `lines` are the connections there were."""

    def __init__(self, serve: Serve = hello, tls: ssl.SSLContext | None = None) -> None:
        self._serve, self._tls = serve, tls
        self.lines: list[Line] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._run, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for line in self.lines:
            line.writer.transport.abort()
        await asyncio.gather(*(line.ended.wait() for line in self.lines))

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, len(self.lines))
        self.lines.append(line)
        try:
            await self._serve(line)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            line.ended.set()

    @property
    def requests(self) -> list[bytes]:
        """All requests that came, by connection."""
        return [request for line in self.lines for request in line.requests]

    @property
    def alive(self) -> int:
        """How many connections are open."""
        return sum(not line.ended.is_set() for line in self.lines)

    def ask(self, body: bytes = b"{}", headers: dict[str, str] | None = None, **changes: Any) -> UpstreamRequest:
        """Return a request to this provider; `changes` are of the deployment."""
        scheme, host = "https" if self._tls else "http", changes.pop("host", "127.0.0.1")
        url = f"{scheme}://{host}:{self.port}/v1/chat/completions"
        return UpstreamRequest(deployment(url, **changes), url, headers or {"x-request-id": "req_1"}, body)


async def body_of(response: UpstreamResponse) -> bytes:
    """Read an answer to its end."""
    pieces = []
    while data := await response.chunk():
        assert len(data) <= 128 << 10
        pieces.append(data)
    response.close()
    return b"".join(pieces)


async def settled(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the condition is of sockets and kernels
            await asyncio.sleep(0.002)
