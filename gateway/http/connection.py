"""One connection to a provider, and one request at a time on it."""

import asyncio
import select
from typing import Protocol, cast

from gateway.http.exchange import Exchange

PIECE = 256 << 10  # of a large body: what is written in one go
TRUSTED_S = 1.0  # idle for longer, and it is looked at before it is used


class Owner(Protocol):
    """Who keeps connections."""

    def put(self, connection: "Connection") -> None:
        """Take back a connection that is free again."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Forget a connection; called once for each."""
        ...


class Connection(asyncio.Protocol):
    """A place in its owner's count from the beginning, a connection once it is `dialled`; gone when `closed`."""

    __slots__ = ("_exchange", "_full", "_owner", "_transport", "_writing", "closed", "dialled", "idle_since")

    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._exchange: Exchange | None = None
        self._full = False  # the other side takes no more bytes for now
        self._writing = False  # a large body is on its way, or was cut short
        self.dialled = False
        self.closed = False
        self.idle_since = 0.0

    def usable(self, now: float) -> bool:
        """Say whether an idle connection can carry a request, as far as can be seen.

        After a while of silence the socket is asked, too: a goodbye may lie there that the loop has not read yet.
        """
        if self._transport.is_closing():
            return False
        if now - self.idle_since < TRUSTED_S:
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def begin(self, exchange: Exchange, request: bytes) -> None:
        """Send a request in one write; its answer goes to `exchange`."""
        self._exchange = exchange
        self._transport.write(request)

    async def begin_large(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Send a request in pieces, so that it does not hold up the loop; an answer that comes early ends it."""
        self.begin(exchange, head)
        self._writing = True
        view = memoryview(body)
        for start in range(0, len(view), PIECE):
            if exchange.answered or self._transport.is_closing():
                return
            self._transport.write(view[start : start + PIECE])
            await asyncio.sleep(0)
            while self._full and not exchange.answered:
                await exchange.wait()
        self._writing = False

    def done(self, reusable: bool) -> None:
        """End the exchange: the answer is complete, or nobody wants it."""
        self._exchange = None
        if reusable and not self._writing and not self._transport.is_closing():
            self._owner.put(self)
        else:
            self.abort()

    def pause(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once. Idempotent."""
        self._end(ConnectionAbortedError("closed by this side"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless it was given up meanwhile."""
        self._transport = cast(asyncio.Transport, transport)
        self.dialled = True
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on what came; what nobody asked for ends the connection."""
        if self._exchange is not None:
            self._exchange.receive(data)
        else:
            self.abort()

    def eof_received(self) -> None:
        """Take the end of their half as the end of both."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self._end(exc)

    def pause_writing(self) -> None:
        """Hold a large body back."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on with it."""
        self._full = False
        if self._exchange is not None:
            self._exchange.wake()

    def _end(self, error: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        exchange, self._exchange = self._exchange, None
        if self.dialled:
            self._transport.abort()
        self._owner.lost(self)
        if exchange is not None:
            exchange.lost(error)
