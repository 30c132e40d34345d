"""Providers that are out are asked whether they answer again, by one process, and never by a paid call."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from catalog.models import Provider
from gateway.control.database import DatabaseThread
from gateway.control.probing import ASKED_EVERY_S, Prober
from gateway.errors import UpstreamError
from gateway.routing.breaker import PLACE
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from tests.factories import gateway as make
from tests.factories.catalog import ProviderFactory
from tests.gateway.routing.test_sharing import Clock, MemoryBoard, Process
from tests.upstream import FakeUpstream

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = UpstreamError("It refused the credential.", code="upstream_credential")
FAILED = UpstreamError("It broke off.")
UNREACHABLE = UpstreamError("It could not be reached.", sent=False)


class World:
    """Two gateway processes, and a provider that both found to be out."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.upstream, self.clock, self.board = upstream, Clock(), MemoryBoard()
        row: Provider = ProviderFactory(base_url=upstream.url, internal=True)
        self.place: DeploymentPolicy = make.deployment(upstream.url, provider_id=row.pk)
        self.processes = [Process(self.board, self.clock) for _ in range(2)]
        self.database = DatabaseThread("test-probe")
        self.probers = [Prober(cast(Runtime, process), self.board, self.database) for process in self.processes]

    def fail(self, error: UpstreamError) -> None:
        for process in self.processes:
            for _ in range(PLACE.least_failures):
                now = self.clock.monotonic()
                process.health.fail(process.health.begin(self.place, now), error, now)

    def ask(self) -> list[str]:
        """Let every process ask; return how each finds the place then."""
        for prober in self.probers:
            asyncio.run(prober.once())
        now = self.clock.monotonic()
        return [
            "barred" if one.health.barred(self.place, now) else one.health.of(self.place).breaker.state(now)
            for one in self.processes
        ]


@pytest.fixture
def world(upstream: FakeUpstream) -> Iterator[World]:
    made = World(upstream)
    yield made
    made.database.shutdown()


def test_who_is_well_is_not_asked(world: World) -> None:
    assert world.ask() == ["closed", "closed"]
    assert not world.upstream.received


@pytest.mark.parametrize(
    ("error", "found"),
    [(REFUSED, ["closed", "barred"]), (UNREACHABLE, ["closed", "open"]), (FAILED, ["half-open", "open"])],
)
def test_one_process_asks_what_costs_nothing(world: World, error: UpstreamError, found: list[str]) -> None:
    world.fail(error)
    assert world.ask() == found
    assert [(one.method, one.target) for one in world.upstream.received] == [("GET", "/v1/models")]


def test_who_does_not_answer_stays_out_and_is_asked_again_later(world: World) -> None:
    world.upstream.stop()
    world.fail(REFUSED)
    assert world.ask() == ["barred", "barred"]
    asked = set(world.board.claims)
    world.board.claims.clear()
    world.ask()
    assert not world.board.claims, "not at once"
    world.clock.at += ASKED_EVERY_S
    world.ask()
    assert world.board.claims == asked


async def test_a_defect_does_not_end_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    asked = asyncio.Event()

    class Defective(Prober):
        times = 0

        async def once(self) -> None:
            self.times += 1
            if self.times == 1:
                raise ValueError("sk-live-of-nobody")
            asked.set()

    monkeypatch.setattr("gateway.control.probing.LOOK_S", 0.0)
    nothing: Any = None
    task = asyncio.create_task(Defective(nothing, nothing, nothing).run())
    try:
        await asyncio.wait_for(asked.wait(), 5)
    finally:
        task.cancel()
    assert "ValueError" in caplog.text
    assert "sk-live" not in caplog.text


def test_a_provider_that_is_gone_is_not_asked(world: World) -> None:
    Provider.objects.update(enabled=False)
    world.fail(REFUSED)
    assert world.ask() == ["barred", "barred"]
    assert not world.upstream.received
