"""`kill -9` in the middle of many calls: every call that the provider served is charged once, and no other."""

import asyncio
import json
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.atrium import Atrium, StartServer
from tests.services.processes import wait_until
from tests.upstream.ledger import Served, read

CALLS = 200
CONFIGURATION = """
version: 1
providers:
  fake: {{dialect: openai, base_url: "{url}", credential: {{value: upstream-secret}}, region: eu, internal: true}}
models:
  crash-model:
    tier: sandbox
    capabilities: [chat]
    context_tokens: 128000
    max_output_tokens: 100000
    price: {{input: "0.15", output: "0.60"}}
    deployments: [{{provider: fake, model: fake-model, weight: 1}}]
teams:
  crash:
    cost_centre: CC-1
    members: [crash@example.com]
    models: [crash-model]
    quotas: [{{metric: usd, window: month, limit: "500"}}]
"""


class Upstream:
    """The fake provider as a process of its own, so that it survives what is done to the gateway."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "served.jsonl"
        command = [sys.executable, "-m", "tests.upstream", "--journal", str(self.journal)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[1]

    def received(self) -> int:
        return int(httpx.get(self.url.removesuffix("/v1") + "/_count", timeout=10).json()["received"])

    def served(self) -> list[Served]:
        return [answer for answer in read(self.journal) if answer.status == 200]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    running = Upstream(tmp_path)
    yield running
    running.stop()


@dataclass
class Calls:
    """Calls in a thread of their own. Call number n asks for n tokens at most, and is told that it used n."""

    base_url: str
    key: str
    numbers: range
    finished: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)

    def start(self) -> "Calls":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=len(self.numbers))
        headers = {"authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.base_url, limits=limits, timeout=50, headers=headers) as client:
            await asyncio.gather(*(self._call(client, number) for number in self.numbers))

    async def _call(self, client: httpx.AsyncClient, number: int) -> None:
        slow = number % 3  # a third ends at once, a third waits for its first byte, a third streams for seconds
        prompt = f"call:{number} fake:completion_tokens={number} fake:prompt_tokens=50"
        prompt += ("", " fake:delay=20", " fake:chunk_delay=4")[slow]
        body: dict[str, Any] = {
            "model": "crash-model",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": number,
            "stream": slow == 2 or number % 2 == 0,
        }
        try:
            answer = await client.post("/v1/chat/completions", json=body)
            (self.finished if answer.status_code == 200 else self.broken).add(number)
        except httpx.HTTPError:
            self.broken.add(number)


def configured(atrium: Atrium, upstream: Upstream) -> str:
    """Configure the fake provider and return a key."""
    file = atrium.folder / "crash.yaml"
    file.write_text(CONFIGURATION.format(url=upstream.url))
    atrium.command("apply", str(file))
    return atrium.command(
        "mint_key", "--team", "crash", "--user", "crash@example.com", "--name", "crash"
    ).stdout.strip()  # fmt: skip


def events_of(atrium: Atrium) -> list[dict[str, Any]]:
    """Return the team's usage events."""
    found: list[dict[str, Any]] = json.loads(atrium.command("usage", "--team", "crash", "--format", "json").stdout)
    return found


def settled_events(atrium: Atrium, at_least: int) -> list[dict[str, Any]]:
    """Wait until `at_least` events are in the database, and no more come."""
    seen: list[int] = []

    def stable() -> bool:
        seen.append(len(events_of(atrium)))
        return len(seen) > 1 and seen[-1] == seen[-2] and seen[-1] >= at_least

    wait_until(stable, what=f"arrival of {at_least} usage events", timeout_s=60, every_s=0.5)
    return events_of(atrium)


def check_ledgers(atrium: Atrium, upstream: Upstream, rounds: list[Calls], *, all_arrived: bool) -> None:
    """Compare what the provider served with what is charged, call by call."""
    served = Counter(int(answer.marker) for answer in upstream.served())
    events = settled_events(atrium, len(served))
    charged = Counter(event["output_tokens"] for event in events)
    finished = set().union(*(calls.finished for calls in rounds))
    broken = set().union(*(calls.broken for calls in rounds))
    assert set(served.values()) <= {1}
    assert [number for number in served if number not in charged] == [], "lost"
    assert [number for number, count in charged.items() if count > 1] == [], "doubled"
    extra = {number for number in charged if number not in served}
    assert extra <= (set() if all_arrived else broken), "charged, but never served"
    for event in events:
        number = event["output_tokens"]
        if number in finished:
            assert (event["estimated"], event["input_tokens"]) == (False, 50)
            assert event["cost_nano_usd"] == 50 * 150 + number * 600
        if number in extra:
            assert event["estimated"]
    assert len({event["request_id"] for event in events}) == len(events)
    assert finished <= set(charged)


def test_a_killed_gateway_loses_no_call_and_doubles_none(start_server: StartServer, upstream: Upstream) -> None:
    atrium = start_server()
    key = configured(atrium, upstream)
    calls = Calls(atrium.base_url, key, range(1000, 1000 + CALLS)).start()
    wait_until(
        lambda: upstream.received() == CALLS and len(calls.finished) >= CALLS // 4,
        what="all calls in flight",
        timeout_s=60,
    )
    atrium.kill9()
    calls.join()
    assert len(calls.broken) >= CALLS // 4, "it was not in the middle"
    atrium.start()
    check_ledgers(atrium, upstream, [calls], all_arrived=True)

    again = Calls(atrium.base_url, key, range(3000, 3001)).start()  # and it serves as before
    again.join()
    assert again.finished == {3000}
    check_ledgers(atrium, upstream, [calls, again], all_arrived=True)
    assert "upstream-secret" not in atrium.log()
    assert re.search(r"at[pst]_[0-9A-Za-z]{36}", atrium.log().split("Atrium is ready")[-1]) is None


def kill_rounds(atrium: Atrium, upstream: Upstream, rounds: int, calls_each: int) -> None:
    """Kill at a random moment, again and again, without waiting for anything."""
    key = configured(atrium, upstream)
    done = []
    for number in range(rounds):
        first = 1000 + number * calls_each
        calls = Calls(atrium.base_url, key, range(first, first + calls_each)).start()
        done.append(calls)
        moment = random.randint(0, calls_each)
        wait_until(
            lambda calls=calls, moment=moment: len(calls.finished) + len(calls.broken) >= min(moment, calls_each // 4),  # type: ignore[misc]
            what="some calls",
            timeout_s=60,
        )
        atrium.kill9()
        calls.join()
        atrium.start()
        check_ledgers(atrium, upstream, done, all_arrived=False)


@pytest.mark.soak
def test_killed_again_and_again(start_server: StartServer, upstream: Upstream) -> None:
    kill_rounds(start_server(), upstream, rounds=20, calls_each=CALLS)
