"""The connections to one provider: at most so many, the last one used first, and a queue when all are in use."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.http.connection import Connection

KEEP_ALIVE_S = 30.0


class BusyError(Exception):
    """No connection became free in time."""


class Pool:
    """Hands out connections. Every place in the count is a `Connection`, dialled or about to be."""

    def __init__(self, limit: int, connect_timeout_s: float, dial: Callable[[Connection], Awaitable[None]]) -> None:
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._dial = dial
        self._all: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._all)

    @property
    def idle(self) -> int:
        """How many connections wait for a request."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many calls wait for a connection."""
        return len(self._waiters)

    def take(self, now: float) -> Connection | None:
        """Return an idle connection, None if there is none. `now` is the loop's time."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(now):
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        """Return a connection, new or freed by another call, in the order of asking.

        Raises BusyError, OSError (TimeoutError is one) when there is none within the connect timeout.
        """
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                while connection is None or connection.closed:
                    connection = None
                    connection = await self._place()
                if not connection.dialled:
                    await self._dialled(connection)
                return connection
        except TimeoutError:
            if connection is None:
                raise BusyError from None
            raise

    def put(self, connection: Connection) -> None:
        """Take a connection back: for who waits longest, else it becomes idle."""
        if self._closed:
            connection.abort()
        elif (waiter := self._next_waiter()) is not None:
            waiter.set_result(connection)
        else:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a connection; its place goes to who waits longest."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._closed and (waiter := self._next_waiter()) is not None:
            waiter.set_result(self._new())

    def sweep(self, now: float) -> None:
        """Close what was idle for too long."""
        while self._idle and now - self._idle[0].idle_since >= KEEP_ALIVE_S:
            self._idle.pop(0).abort()

    def close(self) -> None:
        """Close every connection, those in use too. Idempotent."""
        self._closed = True
        for connection in list(self._all):
            connection.abort()
        while (waiter := self._next_waiter()) is not None:
            waiter.set_exception(ConnectionAbortedError("the client is closing"))

    async def _place(self) -> Connection:
        if self._closed:
            raise ConnectionAbortedError("the client is closed")
        loop = asyncio.get_running_loop()
        connection = self.take(loop.time())
        if connection is not None:
            return connection
        if len(self._all) < self._limit:
            return self._new()
        waiter: asyncio.Future[Connection] = loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._left(waiter)
            raise

    def _left(self, waiter: "asyncio.Future[Connection]") -> None:
        """Pass on what a caller that was cancelled may have been given."""
        if waiter.cancelled():
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
        elif waiter.exception() is None:
            connection = waiter.result()
            if connection.dialled and not connection.closed:
                self.put(connection)
            else:
                connection.abort()

    async def _dialled(self, connection: Connection) -> None:
        try:
            await self._dial(connection)
            if connection.closed:
                raise ConnectionAbortedError("closed while it was dialled")
        except BaseException:
            connection.abort()
            raise

    def _new(self) -> Connection:
        connection = Connection(self)
        self._all.add(connection)
        return connection

    def _next_waiter(self) -> "asyncio.Future[Connection] | None":
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None
