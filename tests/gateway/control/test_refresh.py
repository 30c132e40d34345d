"""The snapshot follows the feed; what does not compile keeps the old one, and revocations hold all the same."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from pytest import MonkeyPatch

from gateway.control import refresh
from gateway.control.compile import compile_all
from gateway.control.database import DatabaseThread
from gateway.control.money import LedgerMoney
from gateway.control.refresh import Refresher
from portal.people.actions.stops import lift_stop, stop_calls
from portal.people.actions.teams import change_team, create_team
from portal.people.audit import Actor
from portal.people.models import Change, Revision, Team

pytestmark = pytest.mark.django_db(transaction=True)
ACT = Actor("command")


class Ring:
    """Notes what it is told to forget."""

    def __init__(self) -> None:
        self.evicted: list[tuple[str, str]] = []

    def evict(self, kind: str, entity: str, revision: int) -> None:
        self.evicted.append((kind, entity))

    def clear(self) -> None:
        self.evicted.append(("everything", ""))


@pytest.fixture
def team() -> Team:
    Revision.objects.get_or_create(id=1)
    return create_team(actor=ACT, slug="search", name="Search")


@asynccontextmanager
async def refreshing(database: DatabaseThread) -> AsyncIterator[Any]:
    """A runtime whose snapshot is kept current."""
    clock = SimpleNamespace(monotonic=time.monotonic, now=time.time)
    runtime: Any = SimpleNamespace(
        snapshot=await database.run(compile_all), key_ring=Ring(), clock=clock, fresh_at=time.monotonic(), in_flight={}
    )
    money = LedgerMoney("gw_test", database, time.time, "UTC")
    task = asyncio.create_task(Refresher(runtime, database, money, poll_s=0.02).run())
    try:
        yield runtime
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def database() -> Any:
    thread = DatabaseThread("test-refresh")
    yield thread
    thread.shutdown()


def rename(team: Team, name: str) -> None:
    change_team(actor=ACT, team=team, name=name)


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - any condition, of which nothing tells
            await asyncio.sleep(0.01)


async def test_a_change_arrives_and_the_ring_forgets_the_team(team: Team, database: DatabaseThread) -> None:
    async with refreshing(database) as runtime:
        await database.run(rename, team, "Search and find")
        await until(lambda: runtime.snapshot.teams[team.pk].name == "Search and find")
        assert ("team", team.pk) in runtime.key_ring.evicted


async def test_what_does_not_compile_keeps_the_old_snapshot_fresh_and_revokes_all_the_same(
    team: Team, database: DatabaseThread, monkeypatch: MonkeyPatch
) -> None:
    async with refreshing(database) as runtime:
        old = runtime.snapshot

        def broken(*args: object) -> None:
            raise ValueError("no such thing")

        working = refresh.recompile
        monkeypatch.setattr(refresh, "recompile", broken)
        await database.run(rename, team, "Other")
        await until(lambda: ("team", team.pk) in runtime.key_ring.evicted)
        since = runtime.fresh_at
        await until(lambda: runtime.fresh_at > since)
        assert runtime.snapshot is old
        monkeypatch.setattr(refresh, "recompile", working)
        await until(lambda: runtime.snapshot.teams[team.pk].name == "Other")


async def test_a_stop_holds_though_nothing_compiles(
    team: Team, database: DatabaseThread, monkeypatch: MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ValueError("no such thing")

    async with refreshing(database) as runtime:
        monkeypatch.setattr(refresh, "recompile", broken)
        stop = await database.run(partial(stop_calls, actor=ACT, kind="model", entity_id="mdl_1", reason="It leaks."))
        await until(lambda: runtime.snapshot.stops == {("model", "mdl_1"): "It leaks."})
        await database.run(partial(lift_stop, actor=ACT, stop=stop, reason="Mended."))
        await until(lambda: not runtime.snapshot.stops)


async def test_a_feed_that_was_trimmed_brings_stops_along(team: Team, database: DatabaseThread) -> None:
    def stopped_and_trimmed() -> None:
        with transaction.atomic():
            stop_calls(actor=ACT, kind="everything", reason="An incident.")
            Change.objects.all().delete()

    async with refreshing(database) as runtime:
        await database.run(stopped_and_trimmed)
        await until(lambda: runtime.snapshot.stops == {("everything", ""): "An incident."})
        assert ("everything", "") in runtime.key_ring.evicted


async def test_a_database_that_is_away_lets_the_snapshot_age(
    team: Team, database: DatabaseThread, monkeypatch: MonkeyPatch
) -> None:
    async with refreshing(database) as runtime:

        def away(*args: object) -> None:
            raise DatabaseError("away")

        working = refresh.read_news
        monkeypatch.setattr(refresh, "read_news", away)
        await asyncio.sleep(0.1)
        since = runtime.fresh_at
        await asyncio.sleep(0.1)
        assert runtime.fresh_at == since
        monkeypatch.setattr(refresh, "read_news", working)
        await until(lambda: runtime.fresh_at > since)
