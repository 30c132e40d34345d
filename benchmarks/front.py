"""What it costs to take a request and to answer it, with nothing in between: servers, fronts and loops in turns.

    python -m benchmarks.front [--rounds 5] [--seconds 2]

Each serves the same request of 500 bytes with the same 600 bytes and ten headers, on one core; the load comes from the
other one. `bare` is no server at all: a protocol that looks for the end of a request and writes a constant.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from benchmarks.load import closed
from benchmarks.processes import GATEWAY_CORE, Started
from benchmarks.work import Target, answer, chat_body
from gateway.asgi import GatewayApp
from gateway.front.protocol import FastLane
from gateway.journal.writer import JournalWriter
from gateway.keyring import KeyRing
from gateway.quotas.memory import MemoryMoneyStore
from gateway.runtime import Limits, Runtime, SystemClock
from gateway.stores.memory import MemoryRateStore
from gateway.tokens import TokenCounter
from gateway.types import Client
from tests.services.processes import free_port, wait_until

ANSWER = answer()
HEADERS = [(b"x-atrium-header-%d" % number, b"some value") for number in range(9)] + [
    (b"content-type", b"application/json")
]
FRONTS: dict[str, type[asyncio.Protocol]] = {"lane": FastLane, "asgi": HttpToolsProtocol, "asgi-h11": H11Protocol}
SUBJECTS = (
    "lane uvloop",
    "asgi uvloop",
    "asgi-h11 uvloop",
    "bare uvloop",
    "lane asyncio",
    "asgi asyncio",
    "bare asyncio",
)


class Constant(GatewayApp):
    """A gateway that reads the body and answers always the same."""

    def serve(
        self,
        client: Client,
        method: str,
        path: str,
        headers: Mapping[bytes, bytes],
        arrived: float,
        query: bytes = b"",
    ) -> Coroutine[Any, Any, None]:
        """See `GatewayApp.serve`."""
        return self._answer(client)

    async def _answer(self, client: Client) -> None:
        await client.read(1 << 20, lambda: None)
        await client.respond(200, HEADERS, ANSWER)


class Bare(asyncio.Protocol):
    """Knows as little HTTP as the load needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write: Callable[[bytes], None] = cast(asyncio.WriteTransport, transport).write
        lines = b"".join(b"%b: %b\r\n" % pair for pair in HEADERS)
        self._whole = b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (lines, len(ANSWER), ANSWER)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"}"):
            self._write(self._whole)


def serve(front: str, loop: str, port: int) -> None:
    """Serve until killed."""
    run = uvloop.run if loop == "uvloop" else asyncio.run
    if front == "bare":
        run(_bare(port))
        return
    with tempfile.TemporaryDirectory() as folder:
        clock = SystemClock()
        runtime = Runtime(
            key_ring=KeyRing(cast(Any, None), b"", clock.monotonic),
            money=MemoryMoneyStore(),
            rates=MemoryRateStore(),
            journal=JournalWriter(Path(folder), "front"),
            upstream=cast(Any, None),
            tokens=TokenCounter(),
            incarnation="front",
            limits=Limits(max_lag_s=10),
        )
        uvicorn.run(
            Constant(runtime), port=port, http=FRONTS[front], ws="none", lifespan="off", log_level="warning",
            access_log=False, server_header=False, loop=loop,
        )  # fmt: skip


async def _bare(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port)
    await server.serve_forever()


def measure(subject: str, folder: Path, connections: int, seconds: float) -> tuple[float, float]:
    """Return CPU µs a request, and requests a second."""
    front, loop = subject.split()
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.front", "--role", front, "--loop", loop, "--port", str(port)]
    server = Started(command, folder=folder, name=subject, cores=str(GATEWAY_CORE))
    target = Target("127.0.0.1", port)
    request = [target.request(chat_body())]
    try:
        wait_until(lambda: _answers(target, request), what=f"start of {subject}")
        before = server.cpu_s()
        load = uvloop.run(closed(target, request, connections, seconds))
        return (server.cpu_s() - before) / load.done * 1e6, load.rate
    finally:
        server.stop()


def _answers(target: Target, request: list[bytes]) -> bool:
    try:
        return uvloop.run(closed(target, request, 1, 0.2)).done > 0
    except OSError:
        return False


def main() -> None:
    """Measure in turns, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--role", default="", help=argparse.SUPPRESS)
    parser.add_argument("--loop", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        serve(options.role, options.loop, options.port)
        return
    found: dict[str, list[tuple[float, float]]] = {subject: [] for subject in SUBJECTS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for subject in SUBJECTS:
                found[subject].append(measure(subject, Path(folder), options.connections, options.seconds))
    for subject, rounds in found.items():
        cpu_us, per_s = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{subject:16} {cpu_us:6.1f} µs CPU a request  {per_s:8.0f} requests/s")


if __name__ == "__main__":
    main()
