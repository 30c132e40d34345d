"""`manage.py gateway`: several processes on one port, replaced when they end, and stopped without losing a word."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.live import TLS
from tests.services import redis
from tests.services.atrium import ROOT, Atrium
from tests.services.processes import Running, free_port, wait_until
from tests.upstream import FakeUpstream

STREAMS = 100
CONFIGURATION = """
version: 1
providers:
  fake: {{dialect: openai, base_url: "{url}", credential: {{value: upstream-secret}}, internal: true}}
models:
  chat-small:
    tier: sandbox
    capabilities: [chat]
    context_tokens: 128000
    max_output_tokens: 1000
    price: {{input: "0.15", output: "0.60"}}
    deployments: [{{provider: fake, model: m}}]
teams:
  crew: {{members: [sam@example.com], models: [chat-small], quotas: [{{metric: usd, window: month, limit: "500"}}]}}
"""
pytestmark = pytest.mark.server


class Gateways:
    """`manage.py gateway --processes N` on a database with one model and one key."""

    def __init__(self, folder: Path, upstream: FakeUpstream, processes: int) -> None:
        self.atrium = Atrium(folder, REDIS_URL=redis.fresh_redis(), ATRIUM_DEMO="0")
        self.atrium.command("migrate")
        file = folder / "one.yaml"
        file.write_text(CONFIGURATION.format(url=upstream.url))
        self.atrium.command("apply", str(file))
        minted = self.atrium.command("mint_key", "--team", "crew", "--user", "sam@example.com", "--name", "k")
        self.key, self.port = minted.stdout.strip(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "manage.py", "gateway", "--port", str(self.port), "--processes", str(processes)]
        self.process = Running(command, folder=folder, name="gateway", env=self.atrium.env, cwd=ROOT)
        wait_until(lambda: len(self.incarnations()) == processes, what="start of all processes", timeout_s=60)

    def incarnations(self) -> set[str]:
        """Return who answers, asking on many connections."""
        found = set()
        for _ in range(12):
            try:
                state = httpx.get(f"{self.url}/healthz", timeout=5, verify=TLS).json()
            except httpx.HTTPError:
                continue
            found.add(state["gateway"]["incarnation"])
        return found

    def children(self) -> list[int]:
        """Return the process ids of those that serve."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def stream(self, words: str) -> "Stream":
        """Begin a stream."""
        return Stream(self, words)

    def usage(self) -> list[dict[str, object]]:
        """Return what was charged."""
        found: list[dict[str, object]] = json.loads(
            self.atrium.command("usage", "--team", "crew", "--format", "json").stdout
        )
        return found


class Stream:
    """One stream, read by a thread."""

    def __init__(self, gateways: Gateways, words: str) -> None:
        self.text, self.failed = "", ""
        self._gateways, self._words = gateways, words
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> str:
        """Wait for the end and return everything that came."""
        self._thread.join(40)
        return self.text

    def _read(self) -> None:
        body = {"model": "chat-small", "stream": True, "messages": [{"role": "user", "content": self._words}]}
        headers = {"authorization": f"Bearer {self._gateways.key}"}
        url = f"{self._gateways.url}/v1/chat/completions"
        try:
            with httpx.stream("POST", url, json=body, headers=headers, timeout=40, verify=TLS) as response:
                for text in response.iter_text():
                    self.text += text
        except httpx.HTTPError as error:
            self.failed = repr(error)


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Gateways]:
    """Two processes."""
    with FakeUpstream() as upstream:
        running = Gateways(tmp_path, upstream, 2)
        yield running
        if running.process.returncode is None:
            running.process.stop()


def test_sigterm_lets_a_hundred_streams_end_and_loses_no_row(gateways: Gateways) -> None:
    streams = [gateways.stream("fake:chunks=20 fake:chunk_delay=0.1") for _ in range(STREAMS)]
    wait_until(lambda: all(stream.text or stream.failed for stream in streams), what="all streams", timeout_s=30)
    gateways.process.send(signal.SIGTERM)
    ends = [stream.end() for stream in streams]
    assert [stream.failed for stream in streams if stream.failed] == []
    assert [end[-200:] for end in ends if not end.endswith("data: [DONE]\n\n")] == []
    assert gateways.process.wait(40) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateways.port), timeout=2)
    events = gateways.usage()
    assert len(events) == STREAMS and not any(event["estimated"] for event in events)
    assert "Traceback" not in gateways.process.log()


def test_one_that_is_killed_is_replaced_and_the_other_serves_on(gateways: Gateways) -> None:
    before, [first, second] = gateways.incarnations(), gateways.children()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: second in gateways.children() and len(set(gateways.children()) - {first}) == 2, what="another")
    wait_until(lambda: len(gateways.incarnations() - before) == 1, what="an answer of the new one", timeout_s=60)
    assert "[DONE]" in gateways.stream("fake:chunks=1").end()


def test_they_end_with_the_one_that_started_them(gateways: Gateways) -> None:
    children = gateways.children()
    os.kill(gateways.process.pid, signal.SIGKILL)

    def gone() -> bool:
        return not any(
            Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children
        )

    wait_until(gone, what="end of the children", timeout_s=30)


def test_several_without_redis_are_refused(tmp_path: Path) -> None:
    atrium = Atrium(tmp_path, ATRIUM_DEMO="0")
    done = atrium.command("gateway", "--processes", "2", check=False)
    assert done.returncode == 1
    assert "portal.E009" in done.stderr and "REDIS_URL" in done.stderr


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        done = Atrium(tmp_path, ATRIUM_DEMO="0").command("gateway", "--port", port, check=False)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in done.stderr and "Traceback" not in done.stderr
