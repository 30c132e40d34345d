"""Keeps the snapshot current: reads the change feed when woken, and in any case every few hundred milliseconds."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import DatabaseError

from gateway.control.compile import compile_all, recompile, stops_now
from gateway.control.cut import Cutter
from gateway.control.database import DatabaseThread
from gateway.control.money import LedgerMoney
from gateway.errors import StoreUnavailable
from gateway.keyring import Kind
from gateway.runtime import Runtime
from gateway.snapshot import Snapshot
from portal.people.changes import local_listeners
from portal.people.models import Change, Revision

log = logging.getLogger(__name__)

TRY_AGAIN = "provider_try"  # in the change feed: nothing changed, but it is to be tried
RING_KINDS: dict[str, Kind] = {"key": "key", "user": "user", "team": "team"}


@dataclass(frozen=True, slots=True)
class News:
    """What the feed holds above a version. `trimmed`: it no longer reaches back that far. `stops`: all, if any changed."""

    version: int
    changes: tuple[tuple[str, str], ...]
    trimmed: bool = False
    stops: Mapping[tuple[str, str], str] | None = None


def read_news(since: int) -> News:
    """Read the feed above revision `since`. Revisions are handed out in order of commit, so none is skipped."""
    number = Revision.objects.values_list("number", flat=True).get(id=1)
    if number == since:
        return News(since, ())
    rows = list(
        Change.objects.filter(revision__gt=since, revision__lte=number).values_list("revision", "kind", "entity_id")
    )
    trimmed = len({revision for revision, _, _ in rows}) < number - since
    changes = {(kind, entity) for _, kind, entity in rows}
    stops = stops_now() if trimmed or any(kind == "stop" for kind, _ in changes) else None
    return News(number, tuple(changes), trimmed, stops)


class Refresher:
    """Applies the feed to a runtime. A change that does not compile keeps the old snapshot, and alarms."""

    def __init__(self, runtime: Runtime, database: DatabaseThread, money: LedgerMoney, poll_s: float) -> None:
        self._runtime, self._database, self._money, self._poll_s = runtime, database, money, poll_s
        self._cutter = Cutter(runtime, database)
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failed = 0

    async def run(self) -> None:
        """Run until cancelled."""
        local_listeners.add(self._woken)
        try:
            while True:
                await self._once()
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
        finally:
            local_listeners.remove(self._woken)

    def _woken(self) -> None:
        self._loop.call_soon_threadsafe(self._wake.set)

    async def _once(self) -> None:
        old = self._runtime.snapshot
        if old is None:  # the plane compiles the first one before this loop runs
            return
        try:
            news = await self._database.run(read_news, old.version)
            self._forget_keys(news)
            self._runtime.fresh_at = self._runtime.clock.monotonic()
            if news.stops is not None:  # before anything is compiled, so that no mistake elsewhere delays a stop
                old = self._runtime.snapshot = replace(old, stops=news.stops)
            self._cutter.note(news.changes, everybody=news.trimmed)
            try:
                if news.version != old.version:
                    await self._compile(old, news)
            finally:
                await self._cutter.cut()
            self._recall(news)
            self._let_try(news)
            self.failed = 0
        except (DatabaseError, StoreUnavailable) as error:
            self._alarm("the database cannot be read", error)
        except Exception as error:
            self._alarm("a change does not compile; calls go on under the policies from before it", error)

    def _forget_keys(self, news: News) -> None:
        """Whatever becomes of the snapshot, a revoked key is refused from here on."""
        ring = self._runtime.key_ring
        if news.trimmed:
            ring.clear()
        for kind, entity in news.changes:
            if kind in RING_KINDS:
                ring.evict(RING_KINDS[kind], entity, news.version)

    async def _compile(self, old: Snapshot, news: News) -> None:
        if news.trimmed:
            self._runtime.snapshot = await self._database.run(compile_all)
        else:
            self._runtime.snapshot = await self._database.run(recompile, old, news.version, news.changes)

    def _recall(self, news: News) -> None:
        quotas = {entity for kind, entity in news.changes if kind == "quota"}
        if quotas:
            self._money.recall(quotas)
            self._runtime.rates.recall(quotas)

    def _let_try(self, news: News) -> None:
        """An administrator wants what is out of a provider to be tried at once."""
        for kind, entity in news.changes:
            if kind == TRY_AGAIN:
                self._runtime.health.let_try(entity, self._runtime.clock.monotonic())

    def _alarm(self, words: str, error: Exception) -> None:
        self.failed += 1
        if self.failed in {1, 10, 100} or self.failed % 1000 == 0:
            log.error("policies are not refreshed (%d times): %s", self.failed, words, exc_info=error)
