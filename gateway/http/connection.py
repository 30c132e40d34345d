"""One connection to a provider, and one request at a time on it."""

import asyncio
import select
from typing import Protocol, cast

from gateway.http.exchange import Exchange

PIECE = 256 << 10  # of a large body: what is written in one go


class Owner(Protocol):
    """Who keeps connections."""

    def put(self, connection: "Connection") -> None:
        """Take back a connection that is free again."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Forget a connection; called once for each."""
        ...


class Connection(asyncio.Protocol):
    """A place in its owner's count from the beginning, a connection once it is dialled; gone when `closed`."""

    __slots__ = ("_exchange", "_owner", "_paused", "_transport", "_writing", "closed", "idle_since")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._paused = False  # writing: the other side takes no more for now
        self._writing = False  # a large body is on its way
        self.closed = False
        self.idle_since = 0.0

    @property
    def dialled(self) -> bool:
        """Whether there is a connection."""
        return self._transport is not None

    def quiet(self) -> bool:
        """Say whether the other side has sent nothing, its goodbye included, that the loop has not read yet."""
        if self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def begin(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Send a request in one write; its answer goes to `exchange`."""
        self._exchange = exchange
        self._sink.write(head + body)

    async def begin_large(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Send a request in pieces, so that it does not hold up the loop; an answer that comes early ends it."""
        self._exchange = exchange
        self._writing = True
        view = memoryview(body)
        self._sink.write(head)
        for start in range(0, len(view), PIECE):
            self._sink.write(view[start : start + PIECE])
            await asyncio.sleep(0)
            while self._paused and not exchange.answered:
                await exchange.wait()
            if exchange.answered:
                return  # still writing: this connection carries no other request
        self._writing = False

    def done(self, reusable: bool) -> None:
        """End the exchange: the answer is complete, or nobody wants it."""
        self._exchange = None
        if reusable and not self._writing and not self._sink.is_closing():
            self._owner.put(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        self._owner.lost(self)

    def pause(self) -> None:
        """Stop reading."""
        self._sink.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._sink.resume_reading()

    @property
    def _sink(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("not dialled")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless it was given up meanwhile."""
        self._transport = cast(asyncio.Transport, transport)
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
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            exchange.lost(exc)

    def pause_writing(self) -> None:
        """Hold the large body back."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on with it."""
        self._paused = False
        if self._writing and self._exchange is not None:
            self._exchange.wake()
