"""What the gateway's own code costs a call: `python -m benchmarks.pipeline [--stream] [--profile [calls]] [--opcodes]`.

One process, no socket: a client that hands over a request and takes the answer, a provider that answers at once, money
and rates in memory with quotas on several scopes, the journal on disk. What remains is ours. `--app` puts the ASGI
front before the pipeline. `--profile` says which functions the time goes to, by samples; `--profile calls` counts every
call under cProfile. `--opcodes` counts Python's instructions, which no noise of the machine touches.
"""

import argparse
import asyncio
import cProfile
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any

import uvloop

from benchmarks import work
from benchmarks.profiling import CpuClock, Opcodes, Sampler, counted
from gateway.asgi import GatewayApp
from gateway.endpoints import resolve
from gateway.ids import new_id
from gateway.journal.writer import JournalWriter
from gateway.keyring import KeyRing
from gateway.pipeline import handle
from gateway.quotas.memory import MemoryMoneyStore
from gateway.runtime import Runtime, SystemClock
from gateway.stores.memory import MemoryRateStore
from gateway.tokens import TokenCounter
from gateway.types import Call, Headers, UpstreamRequest
from gateway.watch import Watch
from tests.factories import gateway as make

ROUND = 2_000
COUNTED = 50  # calls under `--opcodes`
Work = Callable[[], Awaitable[None]]


class InstantResponse:
    """The answer of the instant provider."""

    status = 200

    def __init__(self, headers: Mapping[str, str], pieces: list[bytes]) -> None:
        self.headers = headers
        self._pieces = iter(pieces)

    def whole(self) -> bytes | None:
        """See `UpstreamResponse.whole`."""
        return next(self._pieces) if "content-length" in self.headers else None

    async def chunk(self) -> bytes:
        """See `UpstreamResponse.chunk`."""
        return next(self._pieces, b"")

    def close(self) -> None:
        """See `UpstreamResponse.close`."""


class InstantUpstream:
    """A provider that answers at once: whole, or 200 events in as many pieces."""

    _whole = [work.answer()]
    _whole_headers = {"content-type": "application/json", "content-length": str(len(_whole[0]))}
    _events = list(work.events())
    _event_headers = {"content-type": "text/event-stream"}

    async def open(self, request: UpstreamRequest) -> InstantResponse:
        """See `Upstream.open`."""
        if work.is_streamed(request.body):
            return InstantResponse(self._event_headers, self._events)
        return InstantResponse(self._whole_headers, self._whole)

    async def close(self) -> None:
        """See `Upstream.close`."""


class InstantClient:
    """A client whose request is there, and that takes everything."""

    def __init__(self, body: bytes) -> None:
        self.started = False
        self.status = 0
        self._body = body

    def whole(self, limit: int) -> bytes | None:
        return self._body

    async def read(self, limit: int, progress: Callable[[], None]) -> bytes:
        """See `Client.read`."""
        return self._body

    async def start(self, status: int, headers: Headers) -> None:
        """See `Client.start`."""
        self.started, self.status = True, status

    async def write(self, data: bytes) -> None:
        """See `Client.write`."""

    async def finish(self) -> None:
        """See `Client.finish`."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Client.respond`."""
        self.status = status

    async def gone(self) -> None:
        """See `Client.gone`."""
        await asyncio.get_running_loop().create_future()


def world(journal_folder: str, upstream: Any) -> tuple[Runtime, str]:
    """Return a runtime with quotas on organisation, team, user, key and model, and the secret of a key in it."""
    model = make.model(work.MODEL, make.deployment("https://provider.example/v1"))
    quotas = [
        make.quota("usd", "month", 10**16, ("organisation", "org_1")),
        make.quota("usd", "month", 10**16),
        make.quota("requests", "minute", 10**9),
        make.quota("total_tokens", "minute", 10**12),
        make.quota("usd", "day", 10**16, ("user", "user_1")),
        make.quota("usd", "day", 10**16, ("key", "key_1")),
        make.quota("requests", "minute", 10**9, ("model", model.id)),
    ]
    keys, clock = make.MemoryKeys(), SystemClock()
    secret = keys.add(make.key_entry())
    runtime = Runtime(
        key_ring=KeyRing(keys, make.PEPPER, clock.monotonic),
        money=MemoryMoneyStore(),
        rates=MemoryRateStore(),
        journal=JournalWriter(journal_folder, "bench"),
        upstream=upstream,
        tokens=TokenCounter(),
        incarnation="bench",
        snapshot=make.snapshot([model], [make.team([model])], quotas),
        fresh_at=clock.monotonic() + 10**6,
    )
    return runtime, secret


def call_pipeline(
    runtime: Runtime, headers: dict[bytes, bytes], body: bytes, path: str = "/v1/chat/completions"
) -> Work:
    """Return a function that sends one call through `pipeline.handle`."""
    endpoint, target = resolve("POST", path, {})
    monotonic = runtime.clock.monotonic

    async def once() -> None:
        client, task = InstantClient(body), asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows a type
        watch = Watch(task, monotonic, client.gone, runtime.limits.disconnect_after_s)
        at, started = runtime.clock.now(), monotonic()
        call = Call(new_id("req"), endpoint, target, "POST", headers, client, watch, at, started)
        runtime.in_flight[task] = call
        try:
            await handle(call, runtime)
        finally:
            del runtime.in_flight[task]
        if client.status != 200:
            raise SystemExit(f"answered {client.status}: {call.error}")

    return once


def call_app(runtime: Runtime, headers: dict[bytes, bytes], body: bytes) -> Work:
    """Return a function that sends one call through the ASGI application."""
    app, statuses = GatewayApp(runtime), list[int]()
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": list(headers.items())}
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> dict[str, Any]:
        return message

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            statuses.append(event["status"])

    async def once() -> None:
        await app(dict(scope), receive, send)
        if statuses.pop() != 200:
            raise SystemExit("not answered with 200")

    return once


async def measure(once: Work, calls: int) -> list[float]:
    """Make the calls, each in a task of its own as under a server; return µs CPU a call for each round."""
    rounds = list[float]()
    for _ in range(max(1, calls // ROUND)):
        clock = CpuClock()
        for _ in range(ROUND):
            await asyncio.ensure_future(once())
        rounds.append(clock.seconds() / ROUND * 1e6)
    return rounds


async def _run(options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        runtime, secret = world(folder, InstantUpstream())
        body = work.chat_body(streamed=options.stream)
        headers = {
            b"host": b"127.0.0.1:8000",
            b"user-agent": b"OpenAI/Python 2.8.1",
            b"authorization": b"Bearer " + secret.encode(),
            b"content-type": b"application/json",
            b"content-length": str(len(body)).encode(),
        }
        once = (call_app if options.app else call_pipeline)(runtime, headers, body)
        await measure(once, ROUND)  # warm
        if options.opcodes:
            opcodes = Opcodes()
            await opcodes.count(once, COUNTED)
            return opcodes.report(COUNTED, options.top)
        profile, sampler = cProfile.Profile(), Sampler()
        if options.profile == "calls":
            profile.enable()
        began = time.perf_counter()
        with sampler.running() if options.profile == "samples" else nullcontext():
            rounds = await measure(once, options.calls)
        profile.disable()
        took_s = time.perf_counter() - began
    each = statistics.median(rounds)
    calls = len(rounds) * ROUND
    lines = [f"{each:.1f} µs CPU a call (median of {len(rounds)} × {ROUND}; best {min(rounds):.1f}; {took_s:.1f} s)"]
    if options.profile == "calls":
        lines.append(counted(profile, calls, options.top))
    elif options.profile:
        lines.append(sampler.report(sum(rounds) / len(rounds), options.top))
    return "\n".join(lines)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", action="store_true", help="streams of 200 chunks instead of whole answers")
    parser.add_argument("--app", action="store_true", help="through the ASGI application")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--profile", nargs="?", const="samples", choices=["samples", "calls"])
    parser.add_argument("--opcodes", action="store_true", help="count instructions instead of time")
    parser.add_argument("--top", type=int, default=40)
    print(uvloop.run(_run(parser.parse_args())))


if __name__ == "__main__":
    main()
