"""What translation adds to a call: OpenAI's and Anthropic's clients to either's dialect, in turns in one run.

    python -m benchmarks.translated [--rounds 5] [--seconds 2]     # latency over sockets, one connection
    python -m benchmarks.translated --cpu [--calls 4000]           # the pipeline's own time, no socket
    python -m benchmarks.translated --opcodes                      # its instructions, which no noise touches

Whole answers and streams of 200 words. A ratio is to the same client's calls that pass as they are. Over sockets the gateway
has a core of its own; the provider, which answers at once in both dialects, and the load share the other.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop

from benchmarks import messages_work, work
from benchmarks.load import closed, quantile
from benchmarks.pipeline import InstantResponse, Work, call_pipeline, world
from benchmarks.processes import GATEWAY_CORE, LOAD_CORE, Started
from benchmarks.profiling import CpuClock, Opcodes
from benchmarks.work import Target
from gateway.asgi import GatewayApp
from gateway.front.protocol import FastLane
from gateway.http.client import HttpUpstream
from gateway.runtime import Runtime
from gateway.types import UpstreamRequest
from tests.factories import gateway as make
from tests.services.processes import free_port, wait_until

COUNTED, WARM, ROUND = 20, 200, 200
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HEADERS = {b"host": b"127.0.0.1:8000", b"user-agent": b"bench", b"content-type": b"application/json"}
KEY_FILE = "key"


@dataclass(frozen=True)
class Subject:
    """One client's format to one provider's. `base`: the one that its ratio is to."""

    client: str
    provider: str
    streamed: bool

    @property
    def name(self) -> str:
        """What is printed."""
        return f"{self.client} → {self.provider}, {'streamed' if self.streamed else 'whole'}"

    @property
    def base(self) -> "Subject":
        """The same client's calls to its own dialect."""
        return Subject(self.client, self.client, self.streamed)

    @property
    def path(self) -> str:
        """Where the client calls."""
        return CHAT if self.client == "openai" else MESSAGES

    @property
    def body(self) -> bytes:
        """What it sends. Models are named by their provider's dialect."""
        write = work.chat_body if self.client == "openai" else messages_work.body
        return write(streamed=self.streamed, model=self.provider)


SUBJECTS = tuple(
    Subject(client, provider, streamed)
    for streamed in (False, True)
    for client, provider in (
        ("openai", "openai"), ("openai", "anthropic"), ("anthropic", "anthropic"), ("anthropic", "openai"),
    )
)  # fmt: skip


class Answers:
    """What the provider says, by the path that is called."""

    def __init__(self) -> None:
        self._whole = {False: work.answer(), True: messages_work.answer()}
        self._events = {False: list(work.events()), True: list(messages_work.events())}

    def of(self, path: str, *, streamed: bool) -> list[bytes]:
        """Return the pieces of an answer."""
        messages = path.endswith("/messages")
        return self._events[messages] if streamed else [self._whole[messages]]


class InstantUpstream:
    """A provider of both dialects that answers at once."""

    def __init__(self) -> None:
        self._answers = Answers()

    async def open(self, request: UpstreamRequest) -> InstantResponse:
        """See `Upstream.open`."""
        streamed = work.is_streamed(request.body)
        pieces = self._answers.of(request.url, streamed=streamed)
        kind = {"content-type": "text/event-stream" if streamed else "application/json"}
        return InstantResponse(kind if streamed else kind | {"content-length": str(len(pieces[0]))}, pieces)

    async def close(self) -> None:
        """See `Upstream.close`."""


def runtime_of(folder: str, upstream: Any, base_url: str) -> tuple[Runtime, str]:
    """Return a runtime with a model of each dialect, and the secret of a key."""
    runtime, secret = world(folder, upstream)
    models = [make.model(one, make.deployment(base_url, id=one, dialect=one)) for one in ("openai", "anthropic")]
    runtime.snapshot = make.snapshot(models, [make.team(models)])
    return runtime, secret


def works(runtime: Runtime, secret: str) -> dict[Subject, Work]:
    """Return a function for each subject that sends one call."""
    found = {}
    for one in SUBJECTS:
        headers = HEADERS | {b"authorization": b"Bearer " + secret.encode()}
        headers[b"content-length"] = str(len(one.body)).encode()
        found[one] = call_pipeline(runtime, headers, one.body, one.path)
    return found


async def measured(calls: int) -> dict[Subject, float]:
    """Return µs CPU a call, the median of rounds in turns."""
    rounds: dict[Subject, list[float]] = {one: [] for one in SUBJECTS}
    with tempfile.TemporaryDirectory() as folder:
        once = works(*runtime_of(folder, InstantUpstream(), "https://provider.example/v1"))
        for number in range(max(1, calls // ROUND) + 1):
            for subject, work_of in once.items():
                clock = CpuClock()
                for _ in range(ROUND):
                    await asyncio.ensure_future(work_of())
                if number:  # the first warms
                    rounds[subject].append(clock.seconds() / ROUND * 1e6)
    return {subject: statistics.median(found) for subject, found in rounds.items()}


async def instructions() -> dict[Subject, float]:
    """Return the interpreter's instructions of a call."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for subject, once in works(*runtime_of(folder, InstantUpstream(), "https://provider.example/v1")).items():
            for _ in range(WARM):
                await once()
            opcodes = Opcodes()
            await opcodes.count(once, COUNTED)
            found[subject] = opcodes.found.total() / COUNTED
    return found


class Answering(asyncio.Protocol):
    """The provider over a socket: a request in one piece or more, an answer, events as a write each."""

    answers = Answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = cast(asyncio.WriteTransport, transport), b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        start = head.lower().find(b"content-length:")
        if start < 0 or len(body) < int(head[start + 15 :].split(b"\r\n", 1)[0]):
            return
        self._buffer = b""
        streamed = work.is_streamed(body)
        pieces = self.answers.of(head.split(b" ", 2)[1].decode(), streamed=streamed)
        if not streamed:
            kind = b"content-type: application/json\r\ncontent-length: %d" % len(pieces[0])
            self._transport.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (kind, pieces[0]))
            return
        kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked"
        self._transport.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % kind)
        self._next(iter(pieces))

    def _next(self, pieces: Any) -> None:
        piece = next(pieces, b"")
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if piece and not self._transport.is_closing():
            asyncio.get_running_loop().call_soon(self._next, pieces)


async def _provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


def _serve(port: int, provider: int, folder: Path) -> None:
    runtime, secret = runtime_of(str(folder / "journal"), HttpUpstream(), f"http://127.0.0.1:{provider}/v1")
    (folder / KEY_FILE).write_text(secret)
    uvicorn.run(
        GatewayApp(runtime), port=port, http=FastLane, ws="none", lifespan="off", log_level="warning", access_log=False,
        loop="uvloop",
    )  # fmt: skip


def over_sockets(rounds: int, seconds: float) -> dict[Subject, float]:
    """Return µs from request to the answer's end, the median of the rounds' medians, in turns."""
    ports = free_port(), free_port()
    found: dict[Subject, list[float]] = {one: [] for one in SUBJECTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal").mkdir()
        command = [sys.executable, "-m", "benchmarks.translated", "--folder", name, "--port"]
        roles = [
            ("provider", ports[1], LOAD_CORE, ["--role", "provider"]),
            ("gateway", ports[0], GATEWAY_CORE, ["--role", "gateway", "--provider", str(ports[1])]),
        ]
        started = [
            Started([*command, str(port), *more], folder=folder, name=role, cores=str(core))
            for role, port, core, more in roles
        ]
        try:
            secret = folder / KEY_FILE
            wait_until(secret.exists, what="start of the gateway", timeout_s=30)
            keyed = (("Authorization", f"Bearer {secret.read_text()}"),)
            targets = {one: Target("127.0.0.1", ports[0], one.path, keyed) for one in SUBJECTS}
            wait_until(lambda: _answers(targets, SUBJECTS[0]), what="an answer", timeout_s=30)
            for number in range(rounds + 1):
                for one in SUBJECTS:
                    load = uvloop.run(closed(targets[one], [targets[one].request(one.body)], 1, seconds))
                    if number:  # the first warms
                        found[one].append(quantile(load.latencies, 0.5) * 1e6)
        finally:
            for process in started:
                process.stop()
    return {one: statistics.median(values) for one, values in found.items()}


def _answers(targets: dict[Subject, Target], one: Subject) -> bool:
    try:
        return uvloop.run(closed(targets[one], [targets[one].request(one.body)], 1, 0.05)).done > 0
    except OSError:
        return False


def report(found: dict[Subject, float], unit: str) -> str:
    """Return a table: each subject, what it takes, what it takes more than its base, and how many times as much."""
    lines = [f"| | {unit} | added | × |", "|---|---:|---:|---:|"]
    for one, value in found.items():
        base = found[one.base]
        more = ("", "") if one == one.base else (f"{value - base:,.0f}", f"{value / base:.2f}")
        lines.append(f"| {one.name} | {value:,.0f} | {more[0]} | {more[1]} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--cpu", action="store_true", help="the pipeline's own time")
    parser.add_argument("--calls", type=int, default=4_000, help="with --cpu: of each kind")
    parser.add_argument("--opcodes", action="store_true", help="count instructions instead of time")
    for name in ("--role", "--folder"):
        parser.add_argument(name, default="", help=argparse.SUPPRESS)
    for name in ("--port", "--provider"):
        parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    roles: dict[str, Callable[[], None]] = {
        "provider": lambda: uvloop.run(_provide(options.port)),
        "gateway": lambda: _serve(options.port, options.provider, Path(options.folder)),
    }
    if options.role:
        roles[options.role]()
    elif options.opcodes:
        print(report(uvloop.run(instructions()), "instructions a call"))
    elif options.cpu:
        print(report(uvloop.run(measured(options.calls)), "µs CPU a call"))
    else:
        print(report(over_sockets(options.rounds, options.seconds), "µs to the end of the answer, p50"))


if __name__ == "__main__":
    main()
