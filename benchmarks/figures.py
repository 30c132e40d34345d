"""What is measured of each gateway. A figure is a function of one subject that returns numbers by their column."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import load, other_side
from benchmarks.gateways.base import Gateway
from benchmarks.load import Load, quantile
from benchmarks.processes import Started
from benchmarks.stores import Stores
from benchmarks.work import Target

Numbers = dict[str, float]
US, MS = 1e6, 1e3

AT_ONCE = 1_000
STREAMS = 100
LOW_RATE = 50
PARALLEL = 32


@dataclass(frozen=True)
class Subject:
    """Who is measured: a gateway, or the provider itself (`process` None)."""

    name: str
    target: Target
    request: Callable[..., bytes]  # streamed, paced, tls
    process: Started | None = None
    stores: Stores | None = None
    tls_target: Target | None = None


@dataclass(frozen=True)
class Duration:
    """Seconds of each load."""

    busy: float = 4.0
    low: float = 8.0
    streams: float = 10.0


def subject_of(gateway: Gateway) -> Subject:
    """Return a started gateway as a subject."""
    stores = getattr(gateway, "stores", None)
    return Subject(gateway.name, gateway.target(), gateway.request, gateway.process, stores, gateway.target(tls=True))


@dataclass
class Measured:
    """A load, and what the gateway and its stores spent on it."""

    load: Load
    cpu_s: float
    stores_s: float

    def each_us(self) -> Numbers:
        """Return the CPU of a call, of its stores apart, and how busy the core was."""
        done = max(1, self.load.done)
        numbers = {"cpu_us": self.cpu_s / done * US, "busy": self.cpu_s / self.load.seconds}
        return numbers | ({"stores_us": self.stores_s / done * US} if self.stores_s else {})


def run(subject: Subject, work: Coroutine[Any, Any, Load]) -> Measured:
    """Run a load against a subject."""
    before, stored = _spent(subject)
    done = other_side.run(work)
    after, stored_after = _spent(subject)
    return Measured(done, after - before, stored_after - stored)


def _spent(subject: Subject) -> tuple[float, float]:
    own = subject.process.cpu_s() if subject.process else 0.0
    return own, sum(subject.stores.cpu_s()) if subject.stores else 0.0


def warm(subject: Subject, duration: Duration) -> None:
    """Let it open its connections and compile what it compiles."""
    other_side.run(load.closed(subject.target, [subject.request()], PARALLEL, min(1.5, duration.busy)))


def chat(subject: Subject, duration: Duration) -> Numbers:
    """Whole answers, 32 connections: each sends the next request when the answer is there."""
    done = run(subject, load.closed(subject.target, [subject.request()], PARALLEL, duration.busy))
    return {"per_s": done.load.rate, **done.each_us()}


def alone(subject: Subject, duration: Duration) -> Numbers:
    """Whole answers, one connection."""
    done = run(subject, load.closed(subject.target, [subject.request()], 1, duration.busy / 2))
    return {"per_s": done.load.rate, "p50_ms": quantile(done.load.latencies, 0.5) * MS}


def tls(subject: Subject, duration: Duration) -> Numbers:
    """Whole answers, 32 connections, the provider over TLS."""
    if subject.tls_target is None:
        return {}
    warming = load.closed(subject.tls_target, [subject.request(tls=True)], PARALLEL, 1)
    other_side.run(warming)
    done = run(subject, load.closed(subject.tls_target, [subject.request(tls=True)], PARALLEL, duration.busy))
    return {"per_s": done.load.rate, **done.each_us()}


def low(subject: Subject, duration: Duration) -> Numbers:
    """50 requests a second, whatever the answers do."""
    done = run(subject, load.constant(subject.target, subject.request(), LOW_RATE, duration.low))
    return {"p50_ms": quantile(done.load.latencies, 0.5) * MS, "p99_ms": quantile(done.load.latencies, 0.99) * MS}


def flow(subject: Subject, duration: Duration) -> Numbers:
    """Streams of 200 chunks at full flow, 16 connections."""
    done = run(subject, load.closed(subject.target, [subject.request(streamed=True)], 16, duration.busy))
    return {"chunks_per_s": done.load.chunks / done.load.seconds, **_per_1000(done)}


def streams(subject: Subject, duration: Duration) -> Numbers:
    """100 streams at a time, a chunk each 100 ms, begun one after the other."""
    request = subject.request(streamed=True, paced=True)
    done = run(subject, load.paced(subject.target, request, STREAMS, duration.streams))
    first = done.load.first_bytes
    return {"ttfb_ms": quantile(first, 0.5) * MS, "ttfb_p99_ms": quantile(first, 0.99) * MS, **_per_1000(done)}


def at_once(subject: Subject, duration: Duration) -> Numbers:
    """1,000 streams begun in the same moment, 50 chunks each, one each 100 ms."""
    request = subject.request(streamed=True, paced=True)
    done = run(subject, load.burst(subject.target, request, AT_ONCE))
    first = done.load.first_bytes
    memory = {"memory_mb": subject.process.memory_mb()} if subject.process else {}
    seen = {"ttfb_ms": quantile(first, 0.5) * MS, "ttfb_p99_ms": quantile(first, 0.99) * MS}
    return {**seen, "seconds": done.load.seconds, **memory, **_per_1000(done)}


def idle(subject: Subject, duration: Duration) -> Numbers:
    """Nobody calls."""
    if subject.process is None:
        return {}
    done = run(subject, _nothing(duration.busy))
    return {"percent": done.cpu_s / done.load.seconds * 100}


async def _nothing(seconds: float) -> Load:
    await asyncio.sleep(seconds)
    return Load(seconds=seconds)


def _per_1000(done: Measured) -> Numbers:
    return {"cpu_ms_per_1000": done.cpu_s / max(1, done.load.chunks) * 1000 * MS} if done.cpu_s else {}


FIGURES: Mapping[str, Callable[[Subject, Duration], Numbers]] = {
    "chat": chat,
    "alone": alone,
    "low": low,
    "flow": flow,
    "streams": streams,
    "tls": tls,
    "idle": idle,
    "at_once": at_once,
}
ONCE = {"at_once"}  # long, and steady: one round is enough
