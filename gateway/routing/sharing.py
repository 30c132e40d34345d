"""What processes tell one another of breakers, credentials and canaries: off the request path, twice a second."""

import asyncio
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Protocol, cast

from gateway.routing.breaker import TRY_WITHIN_S, Breaker, Cause
from gateway.routing.canaries import Tally, name_of
from gateway.routing.policy import Canary
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, Snapshot

POLL_S = 0.5
STOPPED = "stopped"

Counts = dict[str, tuple[int, int]]  # canary → calls, failures


class Board(Protocol):
    """Where processes write for one another. It never raises; while it is away it answers None, and claims are granted."""

    async def exchange(self, news: Mapping[str, str], counts: Counts) -> tuple[dict[str, str], Counts] | None:
        """Write records, add to counts; return all records there are, and what the counts named add up to."""
        ...

    async def claim(self, name: str, for_s: float) -> bool:
        """Say whether this process alone may do something, for so long."""
        ...

    async def aclose(self) -> None:
        """Disconnect."""
        ...


class Alone:
    """The board of a process that has no others."""

    async def exchange(self, news: Mapping[str, str], counts: Counts) -> tuple[dict[str, str], Counts] | None:
        """See `Board.exchange`."""
        return None

    async def claim(self, name: str, for_s: float) -> bool:
        """See `Board.claim`."""
        return True

    async def aclose(self) -> None:
        """See `Board.aclose`."""


class Sharing:
    """Keeps the health and the canaries of a runtime in step with those of other processes. `run` is a task."""

    def __init__(self, runtime: Runtime, board: Board) -> None:
        self._runtime, self._board = runtime, board
        self._seen: dict[str, float] = {}  # record → when (epoch s) what is known of it changed
        self._snapshot: Snapshot | None = None
        self._places: dict[str, DeploymentPolicy] = {}  # by the name of each record that may be about them
        self._canaries: dict[str, tuple[str, Canary]] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.once()

    async def once(self) -> None:
        """Tell what is new here, take in what is new elsewhere, and claim the next try of what is out."""
        self._learn()
        health, at = self._runtime.health, self._runtime.clock.now()
        told, news = set(health.news), dict(self._news(at))
        tallies = {name: found for name, key in self._canaries.items() if (found := self._tally(key)) is not None}
        before = {name: (tally.calls, tally.failures) for name, tally in tallies.items()}
        counts = {
            name: (tally.calls - tally.told_calls, tally.failures - tally.told_failures)
            for name, tally in tallies.items()
        }
        answer = await self._board.exchange(news, counts)
        if answer is None:
            for _, breaker in health.out():
                breaker.awaits_claim = False
            return
        health.news -= told
        self._seen |= dict.fromkeys(news, at)
        records, sums = answer
        for name, record in records.items():
            self._take_in(name, record, at)
        for name, tally in tallies.items():
            self._add_up(tally, self._canaries[name], before[name], sums.get(name, before[name]))
        await self._claim_tries()

    def _learn(self) -> None:
        """Look through a new snapshot once."""
        snapshot = self._runtime.snapshot
        if snapshot is None or snapshot is self._snapshot:
            return
        self._snapshot = snapshot
        places = [place for model in snapshot.models.values() for place in model.deployments]
        self._places = {_place_name(place): place for place in places} | {_credential_name(one): one for one in places}
        self._canaries = {
            name_of(model.id, canary): (model.id, canary)
            for model in snapshot.models.values()
            if (canary := model.route.canary) is not None
        }
        self._seen = {name: at for name, at in self._seen.items() if name in self._places or name in self._canaries}
        self._runtime.health.keep(places, self._runtime.clock.monotonic())

    def _news(self, at: float) -> Iterator[tuple[str, str]]:
        health, now = self._runtime.health, self._runtime.clock.monotonic()
        for vitals in health.vitals():
            if ("place", vitals.place.id) in health.news:
                yield _place_name(vitals.place), _record(vitals.breaker, now, at)
        for outage in health.outages():
            if ("credential", outage.place.provider_id) in health.news:
                yield _credential_name(outage.place), _record(outage.breaker, now, at)
        for name, key in self._canaries.items():
            tally = self._tally(key)
            if tally is not None and tally.stopped and name not in self._seen:
                yield name, f"{at:.3f} 0 0 {STOPPED}"

    def _take_in(self, name: str, record: str, at: float) -> None:
        """Believe what changed elsewhere after what is known here."""
        changed, until, opened, cause, *since = record.split(" ")
        if float(changed) <= self._seen.get(name, 0.0):
            return
        self._seen[name] = float(changed)
        if cause == STOPPED:
            if name in self._canaries:
                self._runtime.canaries.tallies.setdefault(self._canaries[name], Tally()).stopped = True
            return
        place = self._places.get(name)
        if place is None:
            return
        health, now = self._runtime.health, self._runtime.clock.monotonic()
        breaker = health.of(place).breaker if name == _place_name(place) else health.outage_of(place).breaker
        if int(opened):
            breaker.until, breaker.opened, breaker.cause = now + float(until) - at, int(opened), cast(Cause, cause)
            breaker.since = now + float(since[0] if since else changed) - at
            breaker.awaits_claim = True
        else:
            breaker.close()
        health.look_again(now)

    async def _claim_tries(self) -> None:
        """See to it that one process alone tries what is out, once the time is up."""
        health = self._runtime.health
        for place, breaker in health.out():
            left_s = breaker.until - self._runtime.clock.monotonic()
            if left_s > POLL_S:
                breaker.awaits_claim = True
            elif breaker.awaits_claim:
                name = _credential_name(place) if breaker.cause == "credential" else _place_name(place)
                breaker.awaits_claim = not await self._board.claim(f"try:{name}", TRY_WITHIN_S / 4)

    def _tally(self, key: tuple[str, Canary]) -> Tally | None:
        return self._runtime.canaries.tallies.get(key)

    def _add_up(
        self, tally: Tally, key: tuple[str, Canary], before: tuple[int, int], sums: tuple[int, int]
    ) -> None:  # fmt: skip
        tally.calls, tally.failures = sums[0] + tally.calls - before[0], sums[1] + tally.failures - before[1]
        tally.told_calls, tally.told_failures = sums
        if tally.judge(key[1]):
            self._runtime.observer.alarm("canary_stopped", key[1].deployment_id)


def place_name(deployment_id: str) -> str:
    """Return what processes call a deployment's breaker among themselves."""
    return f"place:{deployment_id}"


def credential_name(provider_id: str, credential: str) -> str:
    """Name a provider with a digest of its credential, which is long and random: nobody can go back from it."""
    digest = blake2b(credential.encode(), digest_size=8, person=b"credential").hexdigest()
    return f"credential:{provider_id}:{digest}"


def _place_name(place: DeploymentPolicy) -> str:
    return place_name(place.id)


def _credential_name(place: DeploymentPolicy) -> str:
    return credential_name(place.provider_id, place.credential)


def _record(breaker: Breaker, now: float, at: float) -> str:
    """Write how a breaker stands: when it changed, until when it is open (epoch s), how often in a row, why, since when."""
    until, since = at + max(0.0, breaker.until - now), at - (now - breaker.since if breaker.opened else 0.0)
    return f"{at:.3f} {until:.3f} {breaker.opened} {breaker.cause or '-'} {since:.3f}"
