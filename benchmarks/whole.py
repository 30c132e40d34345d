"""What a call costs from the bytes of its request to the bytes of its answer: `python -m benchmarks.whole [--opcodes]`.

One process, no socket: the fast lane and the HTTP client are the real ones and get transports that pass bytes on in
memory; quotas on several scopes, the journal on disk, metrics and the call log on. What is missing is the kernel and
the drain. `--profile` and `--opcodes` as in `benchmarks.pipeline`.
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
from contextlib import nullcontext
from typing import Any, cast

import uvicorn
import uvloop
from uvicorn.server import ServerState

from benchmarks import work
from benchmarks.pipeline import COUNTED, ROUND, Work, measure, world
from benchmarks.profiling import Opcodes, Sampler
from gateway.asgi import GatewayApp
from gateway.control.observe import Observing
from gateway.front.protocol import FastLane
from gateway.http.client import HttpUpstream
from gateway.http.connection import Connection
from gateway.http.dial import Dialler
from gateway.http.target import Origin

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nopenai-processing-ms: 12\r\ncontent-length: %d\r\n\r\n%b"
    % (len(work.answer()), work.answer())
)
OBSERVED = 100  # calls between two rounds of the observer


class Pipe(asyncio.Transport):
    """Takes what is written and lets `heard` know."""

    def __init__(self, heard: Any) -> None:
        super().__init__()
        self._heard = heard

    def write(self, data: Any) -> None:
        self._heard(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 5000) if name in {"peername", "sockname"} else default

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """Nothing is open."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


class Discard(logging.Handler):
    """A log that is written by whoever runs this; formatting it is ours."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


async def _dial(_self: Dialler, _origin: Origin, _internal: bool, protocol: asyncio.Protocol) -> None:
    """Connect to a provider that answers as soon as the loop comes round."""
    connection = cast(Connection, protocol)
    loop = asyncio.get_running_loop()
    connection.connection_made(Pipe(lambda _: loop.call_soon(connection.data_received, ANSWER)))


def call_whole(folder: str) -> tuple[Work, Observing]:
    """Return a function that sends one request and waits for its answer, and the observer of its calls."""
    Dialler.dial = _dial  # type: ignore[method-assign]
    runtime, secret = world(folder, HttpUpstream())
    observing = Observing(lambda: runtime.snapshot, lambda _: None, cast(Any, None))
    runtime.observer = observing
    calls = logging.getLogger("atrium.calls")
    calls.setLevel(logging.INFO)
    calls.propagate, calls.handlers = False, [Discard()]
    config = uvicorn.Config(GatewayApp(runtime), http=FastLane, ws="none", lifespan="off", log_level="warning")
    config.load()
    lane = FastLane(config, ServerState(), {})
    answered: list[asyncio.Future[bytes]] = []
    lane.connection_made(Pipe(lambda data: answered.pop().set_result(data)))
    body = work.chat_body()
    request = work.Target("127.0.0.1", 8000, headers=(("Authorization", f"Bearer {secret}"),)).request(body)
    loop, made = asyncio.get_running_loop(), [0]

    async def once() -> None:
        waiting = loop.create_future()
        answered.append(waiting)
        lane.data_received(request)
        answer = await waiting
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"answered {answer!r}")
        made[0] += 1
        if not made[0] % OBSERVED:
            observing.flush()

    return once, observing


async def _run(options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        once, _ = call_whole(folder)
        await measure(once, ROUND)  # warm
        if options.opcodes:
            opcodes = Opcodes()
            await opcodes.count(once, 2 * COUNTED)  # the observer's round in it
            return opcodes.report(2 * COUNTED, options.top)
        sampler = Sampler()
        with sampler.running() if options.profile else nullcontext():
            rounds = await measure(once, options.calls)
    each = statistics.median(rounds)
    lines = [f"{each:.1f} µs CPU a call (median of {len(rounds)} × {ROUND}; best {min(rounds):.1f})"]
    if options.profile:
        lines.append(sampler.report(sum(rounds) / len(rounds), options.top))
    return "\n".join(lines)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--opcodes", action="store_true", help="count instructions instead of time")
    parser.add_argument("--top", type=int, default=40)
    print(uvloop.run(_run(parser.parse_args())))


if __name__ == "__main__":
    main()
