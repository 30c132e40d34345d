"""What the gateway adds to a call: `python -m benchmarks.gateway_overhead [--seconds 5] [--connections 32]`.

Three processes on this machine: a provider that answers at once (bare asyncio, no parsing), the gateway in front of it
with stores in memory and a journal on disk, and this load generator. Prints requests per second through the gateway
against direct, and the CPU that the gateway's process took for each request.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import cast

CHUNKS = 200
TEXT = "word " * 100
BODY = json.dumps({"model": "chat-small", "messages": [{"role": "user", "content": "x" * 420}]}).encode()
STREAM_BODY = json.dumps(
    {"model": "chat-small", "messages": [{"role": "user", "content": "x" * 420}], "stream": True}
).encode()


@dataclass(frozen=True)
class Figures:
    """What one round measured."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


async def provider(port: int) -> None:
    """Answer every request at once: a chat completion, or a stream of 200 chunks."""
    usage = {"prompt_tokens": 110, "completion_tokens": 100, "total_tokens": 210}
    message = {"role": "assistant", "content": TEXT}
    body = json.dumps(
        {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}
    ).encode()
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    delta = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "word "}}]}
    event = b"data: %b\n\n" % json.dumps(delta | {"usage": None}).encode()
    end = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps({"id": "c", "choices": [], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.buffer = cast(asyncio.WriteTransport, transport), b""

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            start = self.buffer.find(b"\r\n\r\n")
            if start < 0 or len(self.buffer) < start + 4 + _length(self.buffer[:start]):
                return
            streamed, self.buffer = b'"stream"' in self.buffer, b""
            if not streamed:
                self.transport.write(whole)
                return
            self.transport.write(head)
            for _ in range(CHUNKS):
                self.transport.write(_chunked(event))
            self.transport.write(_chunked(end) + b"0\r\n\r\n")

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


def gateway(port: int, upstream_port: int) -> None:
    """Serve the gateway as an ASGI application under uvicorn."""
    import uvicorn

    from gateway.asgi import GatewayApp
    from gateway.http.client import HttpUpstream
    from gateway.journal.writer import JournalWriter
    from gateway.keyring import KeyRing
    from gateway.quotas.memory import MemoryMoneyStore
    from gateway.runtime import Runtime, SystemClock
    from gateway.stores.memory import MemoryRateStore
    from gateway.tokens import TokenCounter
    from tests.factories import gateway as make

    models = [make.model("chat-small", make.deployment(f"http://127.0.0.1:{upstream_port}/v1"))]
    quotas = [make.quota("usd", "month", 10**15), make.quota("requests", "minute", 10**9)]
    keys, clock = make.MemoryKeys(), SystemClock()
    keys.add(make.key_entry(), os.environ["BENCHMARK_KEY"])
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(
            key_ring=KeyRing(keys, make.PEPPER, clock.monotonic),
            money=MemoryMoneyStore(),
            rates=MemoryRateStore(),
            journal=JournalWriter(folder, "bench"),
            upstream=HttpUpstream(),
            tokens=TokenCounter(),
            incarnation="bench",
            snapshot=make.snapshot(models, [make.team(models)], quotas),
            fresh_at=clock.monotonic() + 10**6,
        )
        uvicorn.run(
            GatewayApp(runtime), port=port, log_level="warning", access_log=False, loop="uvloop", lifespan="off"
        )


async def load(port: int, key: str, body: bytes, connections: int, seconds: float) -> tuple[int, list[float]]:
    """Send one request after the other on each connection; return how many were answered, and how long each took."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(body)}"
    )
    request = head.encode() + b"\r\ncontent-type: application/json\r\n\r\n" + body
    until, times = time.perf_counter() + seconds, list[float]()

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        while (began := time.perf_counter()) < until:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode() + (await reader.read(2000)).decode())
            if b"content-length" in answer.lower():
                await reader.readexactly(_length(answer))
            else:
                await reader.readuntil(b"\r\n0\r\n\r\n")
            times.append(time.perf_counter() - began)
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(one() for _ in range(connections)))), times


def measure(port: int, key: str, body: bytes, connections: int, seconds: float, pid: int | None) -> Figures:
    """Run one round."""
    before = _cpu_s(pid) if pid else 0.0
    done, times = asyncio.run(load(port, key, body, connections, seconds))
    cpu_s = _cpu_s(pid) - before if pid else 0.0
    times.sort()
    return Figures(
        done / seconds, cpu_s / done * 1e6, times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
    )


def main() -> None:
    """Start the processes, measure in turns, print the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=9640)
    parser.add_argument("--role", choices=["provider", "gateway"])
    options = parser.parse_args()
    if options.role == "provider":
        import uvloop

        uvloop.run(provider(options.port))
    elif options.role == "gateway":
        gateway(options.port, options.port - 1)
    else:
        _compare(options)


def _compare(options: argparse.Namespace) -> None:
    from gateway import keyformat

    key = keyformat.generate("personal")
    environment = {**os.environ, "BENCHMARK_KEY": key}
    command = [sys.executable, "-m", "benchmarks.gateway_overhead", "--port"]
    processes = [
        subprocess.Popen([*command, str(options.port - 1), "--role", "provider"], env=environment),
        subprocess.Popen([*command, str(options.port), "--role", "gateway"], env=environment),
    ]
    try:
        for port in (options.port - 1, options.port):
            _wait_for(port)
        pid = processes[1].pid
        measure(options.port, key, BODY, options.connections, 1.0, pid)  # warm
        for name, body, connections in (
            (f"chat, {options.connections} connections", BODY, options.connections),
            ("chat, 1 connection", BODY, 1),
            (f"streams of {CHUNKS} chunks, 16 connections", STREAM_BODY, 16),
        ):
            rounds = [
                (
                    measure(options.port - 1, key, body, connections, options.seconds, None),
                    measure(options.port, key, body, connections, options.seconds, pid),
                )
                for _ in range(options.rounds)
            ]
            direct, through = sorted(rounds, key=lambda pair: pair[1].per_second)[len(rounds) // 2]
            print(
                f"{name}: {through.per_second:.0f} requests/s, {through.per_second / direct.per_second:.1%} of direct; "
                f"{through.cpu_us:.0f} µs CPU per request; added p50 {through.p50_ms - direct.p50_ms:.2f} ms, "
                f"added p99 {through.p99_ms - direct.p99_ms:.2f} ms"
            )
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    import socket

    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(b"content-length:")
    return int(lower[start + 15 : start + 30].split(b"\r\n")[0]) if start >= 0 else 0


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    main()
