"""One request and its response on a connection of the fast lane."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.encodings import too_large
from gateway.errors import ClientGoneError, GatewayError, UnavailableError
from gateway.front import wire
from gateway.types import Headers

if TYPE_CHECKING:
    from gateway.asgi import GatewayApp
    from gateway.front.protocol import FastLane
    from gateway.realtime.socket import Socket

EARLY_BYTES = 64 << 10  # a call with a longer body is served from its head on, so that it can be refused early
HELD_BYTES = 256 << 10  # of a body that nobody reads yet
COPIED_BYTES = 64 << 10  # a longer body is not joined with its head


class Exchange:
    """The pipeline's `Client`. It stands in uvicorn's queue of requests, and is asked there what uvicorn's own are."""

    __slots__ = (
        "_changed",
        "_chunked",
        "_connection",
        "_gateway",
        "_head",
        "_head_only",
        "_held",
        "_http_1_1",
        "_pieces",
        "_runtime",
        "_size",
        "_trouble",
        "announced",
        "arrived",
        "disconnected",
        "expects",
        "headers",
        "in_turn",
        "keep_alive",
        "method",
        "more_body",
        "offers_websocket",
        "path",
        "query",
        "ready",
        "refusal",
        "response_complete",
        "running",
        "started",
    )

    def __init__(
        self,
        connection: "FastLane",
        gateway: "GatewayApp",
        method: str,
        path: str,
        query: bytes,
        headers: dict[bytes, bytes],
        *,
        http_1_1: bool,
        keep_alive: bool,
    ) -> None:
        self._connection, self._gateway, self._runtime = connection, gateway, gateway.runtime
        self.method, self.path, self.query, self.headers = method, path, query, headers
        self.keep_alive = keep_alive
        self.announced = int(headers.get(b"content-length", 0))
        self.expects = headers.get(b"expect", b"").lower() == b"100-continue"
        self.ready = self.expects or self.announced > EARLY_BYTES  # else once the body is complete
        self.in_turn = self.running = self.started = self.response_complete = self.disconnected = False
        self.more_body = True
        self.arrived = 0.0
        self.offers_websocket = False
        self.refusal: GatewayError | None = None  # answered in place of the call
        self._http_1_1 = http_1_1
        self._head_only = method == "HEAD"
        self._pieces: list[bytes] = []
        self._size = 0
        self._held = 0  # of it, in memory
        self._trouble: GatewayError | None = None  # the body will not come, and why
        self._changed: asyncio.Event | None = None
        self._head = b""  # of a stream, until its first piece goes out with it
        self._chunked = False

    # What the connection tells.

    def receive(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._trouble is not None:
            return
        self._pieces.append(data)
        self._size += len(data)
        self._hold(len(data))
        if self._size > EARLY_BYTES:
            self.ready = True
            if self._runtime.held_bytes > self._runtime.limits.max_held_bytes:
                self._let_go()
                self.fail(_too_much_held())
        if self._changed is not None:
            self._changed.set()
        elif self._size > HELD_BYTES:
            self._connection.flow.pause_reading()

    def complete(self) -> None:
        """Take note that the body is complete."""
        self.more_body = False
        self.ready = True
        if self._changed is not None:
            self._changed.set()

    def fail(self, trouble: GatewayError) -> None:
        """Take note that the rest of the body will not come, or is not to be had."""
        self._trouble = trouble
        self.ready = True
        if self._changed is not None:
            self._changed.set()

    def lost(self) -> None:
        """Take note that the connection is gone."""
        self.disconnected = True
        if not self.running:
            self._let_go()
        self.fail(ClientGoneError("The client hung up before its request was complete."))

    async def run(self) -> None:
        """Serve the call."""
        now = self._runtime.clock.monotonic()
        self._gateway.congestion.waited(now - self.arrived, now)
        try:
            await self._gateway.serve(self, self.method, self.path, self.headers, self.arrived, self.query)
        finally:
            self._let_go()
            if not self.response_complete:
                self.response_complete = True
                self._connection.transport.abort()

    def answer(self, error: GatewayError) -> None:
        """Refuse at once, without a task."""
        headers, body = self._gateway.refusals.answer(error, self.method, self.path, self.headers)
        self._respond(error.status, headers, body)

    # What the pipeline asks for.

    def whole(self, limit: int) -> bytes | None:
        """See `Client.whole`."""
        if self.announced > limit or self._size > limit:
            raise too_large(limit)
        if self._trouble is not None:
            raise self._trouble
        if self.more_body:
            return None
        pieces = self._pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read(self, limit: int, progress: Callable[[], None]) -> bytes:
        """See `Client.read`."""
        body = self.whole(limit)
        while body is None:
            await self._rest(limit, progress)
            body = self.whole(limit)
        return body

    async def _rest(self, limit: int, progress: Callable[[], None]) -> None:
        changed = self._change()
        if self.expects and not self._size:
            self._connection.transport.write(wire.CONTINUE)
        while self.more_body and self._size <= limit:
            if self._trouble is not None:
                raise self._trouble
            self._connection.flow.resume_reading()
            await changed.wait()
            changed.clear()
            progress()

    async def start(self, status: int, headers: Headers) -> None:
        """See `Client.start`."""
        self._check()
        self._chunked = self._http_1_1 and not self._head_only
        if not self._http_1_1:
            self.keep_alive = False  # the end of the connection is the end of the body
        self._head = self._framed(status, headers, wire.CHUNKED if self._chunked else b"")
        self.started = True

    async def write(self, data: bytes) -> None:
        """See `Client.write`."""
        self._check()
        head, self._head = self._head, b""
        if not data or self._head_only:
            data = b""
        elif self._chunked:
            data = wire.chunk(data)
        if head or data:
            self._connection.transport.write(head + data)
        flow = self._connection.flow
        if flow.write_paused:
            await flow.drain()
            self._check()

    async def finish(self) -> None:
        """See `Client.finish`."""
        self._check()
        self._connection.transport.write(self._head + (wire.LAST_CHUNK if self._chunked else b""))
        self._end()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Client.respond`. The connection sees to it that the bytes are taken, or gives the client up."""
        self._check()
        self._respond(status, headers, body)

    async def gone(self) -> None:
        """See `Client.gone`."""
        changed = self._change()
        while not self.disconnected:
            await changed.wait()
            changed.clear()

    def hand_over(self, protocol: "Socket") -> None:
        """See `Client.hand_over`."""
        self._check()
        self.started = self.response_complete = True
        self._let_go()
        self._connection.hand_over(protocol)

    def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        framing = b"" if status == 204 else b"content-length: %d\r\n" % len(body)
        head, write = self._framed(status, headers, framing), self._connection.transport.write
        self.started = True
        if self._head_only:
            write(head)
        elif len(body) <= COPIED_BYTES:
            write(head + body)
        else:
            write(head)
            write(body)
        self._end()

    def _framed(self, status: int, headers: Headers, framing: bytes) -> bytes:
        if self.more_body:
            self.keep_alive = False  # what is still to come of the body is nothing that could be answered
        if not self.keep_alive:
            framing += wire.CLOSE
        return wire.head(status, self._connection.preamble(), headers, framing)

    def _hold(self, size: int) -> None:
        self._held += size
        self._runtime.held_bytes += size

    def _let_go(self) -> None:
        self._hold(-self._held)
        self._pieces = []

    def _end(self) -> None:
        self.response_complete = True
        self._let_go()
        self._connection.ended(self)

    def _check(self) -> None:
        if self.disconnected or self._connection.transport.is_closing():
            raise ClientGoneError("The client hung up.")

    def _change(self) -> asyncio.Event:
        if self._changed is None:
            self._changed = asyncio.Event()
        return self._changed


def _too_much_held() -> UnavailableError:
    return UnavailableError(
        "This gateway process holds as many bytes of requests as it takes. Try again shortly, or send less.",
        code="overloaded",
        retry_after_s=1,
    )
