"""The load generator: closed loops, a constant rate without coordinated omission, and streams. Lean asyncio protocols."""

import asyncio
import itertools
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from benchmarks.work import Target

STARTS_WITHIN_S = 5.0  # a load of paced streams starts them spread over this long


class Wrong(RuntimeError):
    """A gateway answered something else than 200, or hung up."""


@dataclass
class Load:
    """What a load saw. Times in seconds, unsorted."""

    seconds: float = 0.0
    done: int = 0
    chunks: int = 0
    latencies: list[float] = field(default_factory=list)  # request sent (or due) → end of the answer
    first_bytes: list[float] = field(default_factory=list)  # request sent → first byte of a stream's body

    @property
    def rate(self) -> float:
        return self.done / self.seconds


def quantile(values: Sequence[float], q: float) -> float:
    """Return the `q` quantile, 0 for none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] if values else 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection. `send` returns a future of the answer's end."""

    __slots__ = (
        "_chunked",
        "_done",
        "_got",
        "_head",
        "_left",
        "_loop",
        "_transport",
        "chunks",
        "first_byte",
        "head_seen",
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Wrong(f"the connection broke: {error}"))

    def send(self, request: bytes) -> asyncio.Future[None]:
        self._done = self._loop.create_future()
        self._head, self._got, self.head_seen = b"", b"", False
        self.chunks, self.first_byte = 0, 0.0
        self._transport.write(request)
        return self._done

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.head_seen:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._start(data[:end], data[end + 4 : end + 304])
            data = data[end + 4 :]
            if not data and self._left != 0:
                return
        if not self.first_byte:
            self.first_byte = time.perf_counter()
        if self._chunked:
            self.chunks += data.count(b"data: {")
            self._got = (self._got + data)[-5:] if len(data) < 5 else data[-5:]
            if self._got == b"0\r\n\r\n":
                self._end()
        else:
            self._left -= len(data)
            if self._left <= 0:
                self._end()

    def _start(self, head: bytes, beginning: bytes) -> None:
        self.head_seen = True
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(Wrong((head.partition(b"\r\n")[0] + b" " + beginning).decode("latin-1")))
        lower = head.lower()
        start = lower.find(b"\r\ncontent-length:")
        self._chunked = start < 0
        self._left = -1 if start < 0 else int(lower[start + 17 :].split(b"\r\n", 1)[0])

    def _end(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, error: Wrong) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)


async def connect(target: Target) -> Connection:
    """Open a connection."""
    protocol = (await asyncio.get_running_loop().create_connection(Connection, target.host, target.port))[1]
    transport = protocol._transport
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return protocol


async def closed(target: Target, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send one request after the other on each connection, in turn from `requests`."""
    load, following = Load(), itertools.cycle(requests)
    opened = [await connect(target) for _ in range(connections)]
    began = time.perf_counter()
    until = began + seconds

    async def one(connection: Connection) -> None:
        while (sent := time.perf_counter()) < until:
            await connection.send(next(following))
            ended = time.perf_counter()
            load.latencies.append(ended - sent)
            if connection.chunks:
                load.first_bytes.append(connection.first_byte - sent)
                load.chunks += connection.chunks
            load.done += 1

    await _all(one(connection) for connection in opened)
    load.seconds = time.perf_counter() - began
    _close(opened)
    return load


async def counted(target: Target, requests: Iterable[bytes], connections: int) -> Load:
    """Send each request once."""
    load, left = Load(), iter(requests)
    opened = [await connect(target) for _ in range(connections)]
    began = time.perf_counter()

    async def one(connection: Connection) -> None:
        for request in left:
            sent = time.perf_counter()
            await connection.send(request)
            load.latencies.append(time.perf_counter() - sent)
            load.done += 1

    await _all(one(connection) for connection in opened)
    load.seconds = time.perf_counter() - began
    _close(opened)
    return load


async def constant(target: Target, request: bytes, per_second: float, seconds: float) -> Load:
    """Send a request each 1/`per_second`, whatever the answers do: a slow answer delays no later request."""
    load, loop = Load(), asyncio.get_running_loop()
    idle = [await connect(target) for _ in range(8)]
    for connection in idle:  # a first request on each, so that none pays for the handshake
        await connection.send(request)
    began, running = time.perf_counter(), set[asyncio.Task[None]]()

    async def one() -> None:
        sent = time.perf_counter()
        connection = idle.pop() if idle else await connect(target)
        await connection.send(request)
        load.latencies.append(time.perf_counter() - sent)
        load.done += 1
        idle.append(connection)

    for number in range(int(per_second * seconds)):
        await asyncio.sleep(began + number / per_second - time.perf_counter())
        task = loop.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running, timeout=10)
    load.seconds = time.perf_counter() - began
    _close(idle)
    return load


async def burst(target: Target, request: bytes, streams: int) -> Load:
    """Start so many streams at once, on connections that are open already; return when all have ended."""
    load = Load()
    opened = [await connect(target) for _ in range(streams)]
    began = time.perf_counter()
    sent = [(connection, time.perf_counter(), connection.send(request)) for connection in opened]
    ended = await asyncio.gather(*(answer for _, _, answer in sent), return_exceptions=True)
    failures = [str(end) for end in ended if isinstance(end, BaseException)]
    if failures:
        raise Wrong(f"{len(failures)} of {streams} streams failed: {failures[0]}")
    for connection, at, _ in sent:
        load.first_bytes.append(connection.first_byte - at)
        load.chunks += connection.chunks
        load.done += 1
    load.seconds = time.perf_counter() - began
    _close(opened)
    return load


async def paced(target: Target, request: bytes, streams: int, seconds: float) -> Load:
    """Keep so many paced streams going, begun one after the other; counts those that began after all were there."""
    load = Load()
    began = time.perf_counter()
    until = began + STARTS_WITHIN_S + seconds

    async def one(number: int) -> None:
        connection = await connect(target)
        await asyncio.sleep(STARTS_WITHIN_S * number / streams)
        while (sent := time.perf_counter()) < until:
            await connection.send(request)
            if sent - began > STARTS_WITHIN_S:
                load.first_bytes.append(connection.first_byte - sent)
            load.chunks += connection.chunks
            load.done += 1
        connection.close()

    await _all(one(number) for number in range(streams))
    load.seconds = time.perf_counter() - began
    return load


async def _all(loops: Iterator[object]) -> None:
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop)  # type: ignore[arg-type]


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()
