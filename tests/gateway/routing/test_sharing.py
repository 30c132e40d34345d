"""Processes tell one another what is out; one of them tries it; none depends on it."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.errors import UpstreamError
from gateway.routing.breaker import PLACE
from gateway.routing.canaries import Canaries
from gateway.routing.health import Health
from gateway.routing.policy import Canary, RoutePolicy
from gateway.routing.sharing import POLL_S, Counts, Sharing
from gateway.runtime import Runtime
from tests.factories import gateway as make

CANARY = Canary("dep_1", 50.0, stop_at_error_rate=0.1, least_calls=10)
SHARED = make.deployment("http://x")
OTHER = make.deployment("http://x", id="dep_2", provider_id="prov_2", provider="other")
MODEL = make.model("chat-small", SHARED, OTHER, route=RoutePolicy(canary=CANARY))
FAILED = UpstreamError("It broke off.")
REFUSED = UpstreamError("It refused the credential.", code="upstream_credential")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at - 1_799_990_000.0


class MemoryBoard:
    """A board in memory; `away` makes it silent."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}
        self.sums: Counts = {}
        self.claims: set[str] = set()
        self.away = False

    async def exchange(self, news: Mapping[str, str], counts: Counts) -> tuple[dict[str, str], Counts] | None:
        if self.away:
            return None
        self.records |= news
        for name, (calls, failures) in counts.items():
            had = self.sums.get(name, (0, 0))
            self.sums[name] = had[0] + calls, had[1] + failures
        return dict(self.records), {name: self.sums[name] for name in counts}

    async def claim(self, name: str, for_s: float) -> bool:
        taken = name in self.claims
        self.claims.add(name)
        return self.away or not taken

    async def aclose(self) -> None:
        """Nothing is open."""


class Process:
    """What sharing needs of a gateway process."""

    def __init__(self, board: MemoryBoard, clock: Clock) -> None:
        self.health, self.canaries, self.clock, self.observer = Health(), Canaries(), clock, make.Observed()
        self.snapshot = make.snapshot([MODEL], [])
        self.sharing = Sharing(cast(Runtime, self), board)

    def fail(self, error: UpstreamError = FAILED, times: int = PLACE.least_failures) -> None:
        for _ in range(times):
            self.health.fail(self.health.begin(SHARED, self.clock.monotonic()), error, self.clock.monotonic())

    def usable(self) -> list[str]:
        now = self.clock.monotonic()
        return [
            one.id
            for one in (SHARED, OTHER)
            if self.health.of(one).breaker.lets(now) and not self.health.barred(one, now)
        ]


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def processes(board: MemoryBoard) -> list[Process]:
    clock = Clock()
    return [Process(board, clock) for _ in range(3)]


async def share(processes: list[Process]) -> None:
    for process in (*processes, *processes):
        await process.sharing.once()


@pytest.mark.parametrize("error", [FAILED, REFUSED])
async def test_what_one_process_finds_all_know(processes: list[Process], error: UpstreamError) -> None:
    processes[0].fail(error)
    await share(processes)
    assert [process.usable() for process in processes] == [["dep_2"]] * 3
    assert all(process.health.troubled for process in processes)


@pytest.mark.parametrize("error", [FAILED, REFUSED])
async def test_one_process_tries_and_all_learn_of_its_success(processes: list[Process], error: UpstreamError) -> None:
    processes[0].fail(error)
    await share(processes)
    processes[0].clock.at += 60
    await share(processes)
    trying = [process for process in processes if "dep_1" in process.usable()]
    assert len(trying) == 1
    now = trying[0].clock.monotonic()
    trying[0].health.succeed(trying[0].health.begin(SHARED, now), now, now + 0.1, now)
    trying[0].clock.at += POLL_S
    await share(processes)
    assert [process.usable() for process in processes] == [["dep_1", "dep_2"]] * 3
    assert not any(process.health.troubled for process in processes)


async def test_a_try_that_fails_keeps_all_away_for_longer(processes: list[Process]) -> None:
    processes[0].fail()
    await share(processes)
    processes[0].clock.at += 60
    await share(processes)
    [trying] = [process for process in processes if "dep_1" in process.usable()]
    trying.fail(times=1)
    trying.clock.at += POLL_S
    await share(processes)
    assert {process.health.of(SHARED).breaker.opened for process in processes} == {2}


async def test_while_the_board_is_away_each_is_on_its_own(processes: list[Process], board: MemoryBoard) -> None:
    board.away = True
    processes[0].fail()
    await share(processes)
    assert [process.usable() for process in processes] == [["dep_2"], ["dep_1", "dep_2"], ["dep_1", "dep_2"]]
    processes[0].clock.at += 60
    await share(processes)
    assert processes[0].usable() == ["dep_1", "dep_2"]


async def test_a_new_process_learns_what_is_out(processes: list[Process], board: MemoryBoard) -> None:
    processes[0].fail()
    await share(processes)
    late = Process(board, processes[0].clock)
    await late.sharing.once()
    assert late.usable() == ["dep_2"]


async def test_another_credential_is_not_out(processes: list[Process]) -> None:
    processes[0].fail(REFUSED)
    await share(processes)
    renewed = replace(SHARED, credential="sk-renewed-0123456789")
    assert [process.health.barred(renewed, process.clock.monotonic()) for process in processes] == [False] * 3


async def test_no_secret_is_on_the_board(processes: list[Process], board: MemoryBoard) -> None:
    processes[0].fail(REFUSED)
    await share(processes)
    assert board.records
    assert make.CREDENTIAL not in str(board.records)


async def test_canaries_are_judged_by_what_all_processes_count(processes: list[Process]) -> None:
    source = random.Random(1)
    for number in range(12):
        process = source.choice(processes)
        process.canaries.count(MODEL.id, CANARY, FAILED if number < 3 else None)
    await share(processes)
    tallies: list[Any] = [process.canaries.tallies[MODEL.id, CANARY] for process in processes]
    assert [(tally.calls, tally.failures) for tally in tallies] == [(12, 3)] * 3
    assert not any(process.canaries.runs(MODEL.id, CANARY) for process in processes)


async def test_a_canary_that_was_stopped_stays_so_in_new_processes(
    processes: list[Process], board: MemoryBoard
) -> None:
    for _ in range(10):
        processes[0].canaries.count(MODEL.id, CANARY, FAILED)
    await share(processes)
    late = Process(board, processes[0].clock)
    await late.sharing.once()
    assert not late.canaries.runs(MODEL.id, CANARY)
    assert late.canaries.runs(MODEL.id, replace(CANARY, since=7.0))
