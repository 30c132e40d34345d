"""One request on a connection, and its answer as it comes in: buffered within bounds, with back-pressure."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from gateway.errors import UpstreamError
from gateway.http import failures
from gateway.http.response import ProtocolError, ResponseParser

CHUNK = 128 << 10
HIGH = 128 << 10  # unread bytes from which on nothing more is read from the socket
LOW = 64 << 10


class Line(Protocol):
    """The connection, as its exchange sees it."""

    def pause(self) -> None:
        """Stop reading."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def done(self, reusable: bool) -> None:
        """End the exchange."""
        ...


class Exchange:
    """An answer under way: `gateway.upstream.UpstreamResponse`, once `head` has returned."""

    __slots__ = (
        "_error",
        "_line",
        "_parser",
        "_paused",
        "_pieces",
        "_provider",
        "_size",
        "_waiter",
        "headers",
        "status",
    )

    def __init__(self, line: Line, provider: str) -> None:
        self._line: Line | None = line  # None: the exchange is over
        self._provider = provider
        self._parser = ResponseParser()
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self.status = 0
        self.headers: Mapping[str, str] = {}

    @property
    def answered(self) -> bool:
        """Whether the head is there, or will never be."""
        return self._parser.status != 0 or self._line is None

    async def head(self) -> None:
        """Return when the head is there. Raises UpstreamError."""
        parser = self._parser
        while not parser.status:
            if self._error is not None:
                raise self._error
            await self.wait()
        self.status, self.headers = parser.status, parser.headers

    def whole(self) -> bytes | None:
        """See `gateway.upstream.UpstreamResponse.whole`."""
        return self._take() if self._line is None and self._error is None and 0 < self._size <= CHUNK else None

    async def chunk(self) -> bytes:
        """See `gateway.upstream.UpstreamResponse.chunk`. What came before the connection broke is given first."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._line is None:
                return b""
            await self.wait()
        return self._take()

    def close(self) -> None:
        """See `gateway.upstream.UpstreamResponse.close`."""
        line, self._line = self._line, None
        if line is not None:
            line.done(reusable=False)

    async def wait(self) -> None:
        """Return when something has happened."""
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def receive(self, data: bytes) -> None:
        """Take bytes from the connection."""
        line = self._line
        if line is None:
            return
        parser = self._parser
        try:
            body = parser.feed(data)
        except ProtocolError as error:
            body, self._error = error.body, failures.broken_off(self._provider)
        if body:
            self._pieces.append(body)
            self._size += len(body)
        if parser.complete or self._error is not None:
            self._line = None
            if self._paused:
                line.resume()
            line.done(parser.reusable and self._error is None)
        elif self._size >= HIGH and not self._paused:
            self._paused = True
            line.pause()
        self.wake()

    def lost(self, error: Exception | None) -> None:
        """Take note that the connection has ended."""
        if self._line is None:
            return
        parser = self._parser
        if error is not None or not parser.eof():
            fail = failures.broken_off if parser.begun else failures.unanswered
            self._error = fail(self._provider)
        self._line = None
        self.wake()

    def _take(self) -> bytes:
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if len(data) > CHUNK:
            pieces.append(data[CHUNK:])
            data = data[:CHUNK]
        self._size -= len(data)
        if self._paused and self._size < LOW and self._line is not None:
            self._paused = False
            self._line.resume()
        return data
