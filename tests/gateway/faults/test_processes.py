"""Metrics of several processes behind one port: whoever answers knows of all, and the dead count on."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.gateway.faults.test_stores import metric
from tests.gateway.faults.world import World
from tests.services import session
from tests.services.atrium import ROOT, Atrium
from tests.services.processes import Running, wait_until
from tests.upstream import FakeUpstream

pytestmark = [pytest.mark.fleet, pytest.mark.server]
CALLS = 60


@pytest.fixture(scope="module")
def gateways() -> Iterator[tuple[World, Running]]:
    """Two gateway processes on one port."""
    folder = Path(tempfile.mkdtemp(prefix="processes-", dir=session.begin()))
    atrium = Atrium(folder, on_postgres=True, ATRIUM_DEMO="0", METRICS_TOKEN="scrape-me")
    atrium.command("migrate")
    command = [sys.executable, "manage.py", "gateway", "--processes", "2", "--port", str(atrium.port)]
    running = Running(command, folder=folder, name="gateways", env=atrium.env, cwd=ROOT)
    try:
        wait_until(atrium.is_ready, what="start of the gateways", timeout_s=60)
        with FakeUpstream() as left, FakeUpstream() as right:
            yield World(atrium, left, right), running
    finally:
        running.stop()


def counted(world: World) -> int:
    """Return how many successful calls whoever answers knows of."""
    headers = {"authorization": "Bearer scrape-me"}
    text = httpx.get(f"{world.url}/metrics", headers=headers, timeout=10).text
    lines = [line for line in text.splitlines() if line.startswith("atrium_calls_total{") and 'status="200"' in line]
    return sum(int(line.rpartition(" ")[2]) for line in lines)


def agree(world: World, expected: int) -> None:
    """Ask until every answer is right, and then see that it stays so, whoever answers."""
    right = 0
    limit = time.monotonic() + 10
    while right < 20:
        found = counted(world)
        assert found <= expected, "counted twice"
        right = right + 1 if found == expected else 0
        assert time.monotonic() < limit, f"{found} of {expected} calls are known"
        time.sleep(0.02)


def test_dead_processes_neither_vanish_nor_double(gateways: tuple[World, Running]) -> None:
    world, running = gateways
    with pytest.raises(StopIteration):
        metric(world, "atrium_processes")  # without the token
    for _ in range(CALLS):
        assert world.status() == 200
    made = len(world.left.served)
    agree(world, made)
    time.sleep(1.2)  # what the last second counted is lost with a process that is killed
    for process in psutil.Process(running.pid).children():
        process.kill()
        wait_until(lambda: world.server.is_ready(), what="the other one")
        agree(world, made)
    assert world.status() == 200
    agree(world, made + 1)
