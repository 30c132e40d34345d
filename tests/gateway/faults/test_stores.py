"""PostgreSQL and Redis frozen, gone, and back: what is known goes on, nothing is lost, and health says how it is (cases 11, 12)."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import keyformat
from tests.gateway.faults.world import World
from tests.services import postgres, redis, session
from tests.services.atrium import Atrium
from tests.services.pause import paused
from tests.services.processes import Running, wait_until
from tests.upstream import FakeUpstream

pytestmark = [pytest.mark.fleet, pytest.mark.server]
RECOVERS_WITHIN_S = 5.0
ENDS_WITHIN_S = 25.0  # service managers wait for half a minute and more
ANSWERS_WITHIN_S = 10.0  # whatever is away, nobody waits for ever


@dataclass
class Stores:
    """The stores of one Atrium, and what may be done to them."""

    postgres: postgres.Server
    redis: redis.Server
    running: dict[str, Running] = field(default_factory=dict)

    def start(self, name: str) -> None:
        self.running[name] = getattr(self, name).start()

    def frozen(self, name: str) -> AbstractContextManager[None]:
        return paused(self.running[name])

    @contextmanager
    def gone(self, name: str) -> Iterator[None]:
        self.running[name].stop()
        try:
            yield
        finally:
            self.start(name)


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    folder = Path(tempfile.mkdtemp(prefix="stores-", dir=session.begin()))
    folder.chmod(0o755)  # an unprivileged PostgreSQL looks below it
    made = Stores(postgres.Server(folder / "postgres"), redis.Server(folder / "redis"))
    for name in ("postgres", "redis"):
        made.start(name)
    try:
        yield made
    finally:
        for running in made.running.values():
            running.stop()


@pytest.fixture(scope="module")
def world(stores: Stores) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=session.begin()))
    with FakeUpstream() as left, FakeUpstream() as right:
        server = Atrium(folder, DATABASE_URL=stores.postgres.url, REDIS_URL=stores.redis.url).start()
        try:
            yield World(server, left, right)
        finally:
            server.stop()


class Traffic:
    """Calls, one after another, until it is left; `answers` holds what came of each."""

    def __init__(self, world: World) -> None:
        self.answers: list[httpx.Response] = []
        self._world, self._left = world, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._left.wait(0.1):
            self.answers.append(self._world.call())

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join(ANSWERS_WITHIN_S)
        assert not self._thread.is_alive(), "a call never ended"

    def statuses(self) -> set[int]:
        return {answer.status_code for answer in self.answers}


def health(world: World, path: str = "/readyz") -> tuple[int, dict[str, Any]]:
    answer = httpx.get(world.url + path, timeout=ANSWERS_WITHIN_S)
    return answer.status_code, answer.json()


def metric(world: World, line: str) -> float:
    """Return the value of a metric; `line` is its name with its labels."""
    text = httpx.get(f"{world.url}/metrics", timeout=ANSWERS_WITHIN_S).text
    return next(float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(f"{line} "))


def well(world: World) -> bool:
    code, state = health(world)
    return code == 200 and state["status"] == "ok" and world.status() == 200


def nothing_lost(world: World, upstream: FakeUpstream, before: int) -> None:
    """Every call that the provider answered since `before` is charged, once."""

    def charged() -> int:
        return len([event for event in world.usage() if event["provider"] == "left"])

    wait_until(lambda: charged() >= len(upstream.served), what="usage of every call", timeout_s=15)
    events = [event["request_id"] for event in world.usage() if event["provider"] == "left"]
    assert len(upstream.served) > before
    assert len(events) == len(set(events)) == len(upstream.served)


def outage(world: World, store: str, away: Callable[[str], AbstractContextManager[None]], seconds: float) -> Traffic:
    """Take a store away for a while under load; returns what calls met, once all is well again."""
    name = {"postgres": "database", "redis": "redis"}[store]
    wait_until(lambda: well(world), what="good health", timeout_s=20)
    began = time.monotonic()
    with Traffic(world) as traffic:
        with away(store):
            wait_until(lambda: not health(world)[1][name]["ok"], what="notice in /readyz", timeout_s=6)
            code, state = health(world)
            assert code == 200, "what is known is still served"
            assert any("has not answered" in words for words in state["problems"])
            assert health(world, "/healthz")[0] == 200
            assert metric(world, f'atrium_store_down{{store="{name}"}}') == 1
            if store == "postgres":
                stranger = world.call(key=keyformat.generate("personal"))
                assert stranger.status_code == 503, "nobody knows that this key is none"
                assert stranger.json()["error"]["code"] == "store_unavailable"
                own = {"authorization": f"Bearer {world.key}"}
                assert httpx.get(f"{world.url}/v1/key", headers=own, timeout=ANSWERS_WITHIN_S).status_code == 503
            else:
                wait_until(lambda: metric(world, "atrium_rates_degraded") == 1, what="degraded rates", timeout_s=6)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        wait_until(lambda: well(world), what=f"recovery from {store}", timeout_s=RECOVERS_WITHIN_S)
        wait_until(lambda: metric(world, f'atrium_store_down{{store="{name}"}}') == 0, what="good metrics", timeout_s=3)
    return traffic


@pytest.mark.parametrize("how", ["frozen", "gone"])
def test_postgres_away(world: World, stores: Stores, how: str) -> None:
    before = len(world.left.served)
    traffic = outage(world, "postgres", getattr(stores, how), 10)
    assert traffic.statuses() <= {200, 503}
    codes = {answer.json()["error"]["code"] for answer in traffic.answers if answer.status_code == 503}
    assert codes <= {"store_unavailable"}
    assert len([answer for answer in traffic.answers if answer.status_code == 200]) > 10, "leases in hand are used"
    nothing_lost(world, world.left, before)


@pytest.mark.parametrize("how", ["frozen", "gone"])
def test_redis_away(world: World, stores: Stores, how: str) -> None:
    before = len(world.left.served)
    traffic = outage(world, "redis", getattr(stores, how), 5)
    assert traffic.statuses() == {200}, "rates go on with a share"
    nothing_lost(world, world.left, before)


@pytest.mark.soak
def test_told_to_stop_while_postgres_says_nothing(world: World, stores: Stores) -> None:
    before = len(world.left.served)
    with stores.frozen("postgres"):
        assert [world.status() for _ in range(3)] == [200] * 3
        began = time.monotonic()
        world.server.stop()
        assert time.monotonic() - began < ENDS_WITHIN_S
    world.server.start()
    nothing_lost(world, world.left, before)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["frozen", "gone"])
@pytest.mark.parametrize("store", ["postgres", "redis"])
def test_away_for_a_minute(world: World, stores: Stores, store: str, how: str) -> None:
    before = len(world.left.served)
    traffic = outage(world, store, getattr(stores, how), 60)
    assert traffic.statuses() <= {200, 503}
    nothing_lost(world, world.left, before)
