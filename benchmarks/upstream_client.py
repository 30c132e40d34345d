"""What the upstream client alone costs: `python -m benchmarks.upstream_client [--tls] [--seconds 3] [--loop asyncio]`.

A provider in a process of its own (bare asyncio) answers 32 calls at a time; each client is measured in a process of
its own, in turns. Prints CPU per call (user and system, of the client's process) and the ratio to ours. aiohttp and
httpx are compared where they are installed; Atrium needs neither here.
"""

import argparse
import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CLIENTS = ("atrium", "aiohttp", "httpx")
KINDS = ("chat", "stream")
CHUNKS = 200
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "atrium-gateway",
    "x-request-id": "req_0123456789abcdef0123456789",
    "authorization": "Bearer sk-0123456789abcdef0123456789abcdef",
}
Call = Callable[[bytes], Awaitable[int]]


def body_of(kind: str) -> bytes:
    """Return a request of about 500 bytes."""
    return json.dumps({"messages": [{"role": "user", "content": "x" * 420}], "stream": kind == "stream"}).encode()


async def provide(port: int, tls: ssl.SSLContext | None) -> None:
    """Answer every request at once: 600 bytes in one piece, or a stream of 200 chunks."""
    answer = b'{"choices": [{"message": {"content": "%b"}}]}' % (b"word " * 100)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-request-id: req_1\r\nserver: bare\r\n"
    whole = head % b"application/json" + b"content-length: %d\r\n\r\n%b" % (len(answer), answer)
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "word "}}], "usage": null}\n\n'
    stream = head % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(event), event)] * CHUNKS + [b"0\r\n\r\n"]

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.received = cast(asyncio.WriteTransport, transport), b""

        def data_received(self, data: bytes) -> None:
            self.received += data
            if self.received.endswith(b"}") or self.received.endswith(b"0\r\n\r\n"):
                streamed, self.received = b'"stream": true' in self.received, b""
                self.transport.write(stream if streamed else whole)
                for chunk in chunks if streamed else ():
                    self.transport.write(chunk)

    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, ssl=tls)
    await server.serve_forever()


async def measure(client: str, kind: str, port: int, connections: int, seconds: float, ca: str) -> float:
    """Return the CPU microseconds of a call, after a warm-up."""
    bytearray(1 << 20)  # as our client does, so that none has to pay for the maps of large reads
    url = f"{'https' if ca else 'http'}://127.0.0.1:{port}/v1/chat/completions"
    tls = ssl.create_default_context(cafile=ca or None)
    call, close = await {"atrium": _atrium, "aiohttp": _aiohttp, "httpx": _httpx}[client](url, connections, tls)
    body, done = body_of(kind), 0

    async def one(until: float) -> None:
        nonlocal done
        while time.perf_counter() < until:
            if await call(body) < 500:
                raise RuntimeError("the answer is short")
            done += 1

    async def all_of(seconds: float) -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(one(until) for _ in range(connections)))

    await all_of(0.5)
    done, before = 0, time.process_time()
    await all_of(seconds)
    spent_s = time.process_time() - before
    await close()
    return spent_s / done * 1e6


async def _atrium(url: str, connections: int, tls: ssl.SSLContext) -> tuple[Call, Callable[[], Awaitable[None]]]:
    from gateway.http.client import HttpUpstream
    from gateway.types import UpstreamRequest
    from tests.factories.gateway import deployment

    upstream, place = HttpUpstream(tls), deployment(url, max_connections=connections)

    async def call(body: bytes) -> int:
        response = await upstream.open(UpstreamRequest(place, url, HEADERS, body))
        size = 0
        while data := await response.chunk():
            size += len(data)
        response.close()
        return size

    return call, upstream.close


async def _aiohttp(url: str, connections: int, tls: ssl.SSLContext) -> tuple[Call, Callable[[], Awaitable[None]]]:
    import aiohttp
    from yarl import URL

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("user-agent", "accept", "content-type"),
    )
    target, timeout = URL(url, encoded=True), aiohttp.ClientTimeout(total=None, connect=5)

    async def call(body: bytes) -> int:
        response = await session.post(target, data=body, headers=HEADERS, allow_redirects=False, timeout=timeout)
        size = 0
        while data := await response.content.readany():
            size += len(data)
        response.close()
        return size

    return call, session.close


async def _httpx(url: str, connections: int, tls: ssl.SSLContext) -> tuple[Call, Callable[[], Awaitable[None]]]:
    import httpx

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    client = httpx.AsyncClient(verify=tls, limits=limits, timeout=60, trust_env=False)

    async def call(body: bytes) -> int:
        size = 0
        async with client.stream("POST", url, content=body, headers=HEADERS) as response:
            async for data in response.aiter_raw():
                size += len(data)
        return size

    return call, client.aclose


def certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1 that is its own authority; return the paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])


def main() -> None:
    """Start the provider, measure each client in turns, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=9650)
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--certificate", default="", help=argparse.SUPPRESS)
    parser.add_argument("--key", default="", help=argparse.SUPPRESS)
    parser.add_argument("--role", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.role:
        with tempfile.TemporaryDirectory() as folder:
            _compare(options, Path(folder))
        return
    run = asyncio.run
    if options.loop == "uvloop":
        from uvloop import run
    if options.role == "provider":
        tls = None
        if options.certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(options.certificate, options.key)
        run(provide(options.port, tls))
    else:
        client, kind = options.role.split(":")
        print(run(measure(client, kind, options.port, options.connections, options.seconds, options.certificate)))


def _compare(options: argparse.Namespace, folder: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.upstream_client", "--port", str(options.port), "--loop", options.loop]
    command += ["--connections", str(options.connections), "--seconds", str(options.seconds)]
    if options.tls:
        certificate_path, key_path = certificate(folder)
        command += ["--certificate", certificate_path, "--key", key_path]
    clients = [name for name in CLIENTS if name == "atrium" or find_spec(name)]
    provider = subprocess.Popen([*command, "--role", "provider"])
    try:
        _wait_for(options.port)
        for kind in KINDS:
            rounds: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(options.rounds):
                for name in clients:
                    said = subprocess.run([*command, "--role", f"{name}:{kind}"], check=True, stdout=subprocess.PIPE)
                    rounds[name].append(float(said.stdout))
            ours = statistics.median(rounds["atrium"])
            for name in clients:
                cpu_us = statistics.median(rounds[name])
                print(
                    f"{kind}{', TLS' if options.tls else ''}, {name}: {cpu_us:.0f} µs CPU, {cpu_us / ours:.2f} × ours"
                )
    finally:
        provider.terminate()
        provider.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
