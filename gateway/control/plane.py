"""Starts and stops a gateway in this process: snapshot, key ring, money, journal, and the loops that keep them current."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from billing.ingest import Ingested
from gateway.control.compile import compile_all
from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain
from gateway.control.draining import Draining
from gateway.control.gauges import Gauges
from gateway.control.journals import FileJournals, Journals, TableJournals
from gateway.control.kept import DatabaseKept
from gateway.control.keys import DatabaseKeys
from gateway.control.money import LedgerMoney
from gateway.control.observe import Observing
from gateway.control.peek import local_rates
from gateway.control.probing import Prober
from gateway.control.recovery import recover
from gateway.control.refresh import Refresher
from gateway.control.settling import Settler
from gateway.control.standing import local_health
from gateway.http.client import HttpUpstream
from gateway.ids import new_id
from gateway.keyring import KeyRing
from gateway.metrics.folder import SharedMetrics
from gateway.quotas.interface import RateStore
from gateway.routing.sharing import Alone, Board, Sharing
from gateway.runtime import Limits, Runtime, SystemClock
from gateway.stores.memory import MemoryRateStore
from gateway.tokens import TokenCounter

log = logging.getLogger(__name__)

RECOVER_FIRST_S = 2.0  # how long a start waits for what dead gateways left: it may hold money that is needed
STREAMS_END_WITHIN_S = 20.0
LEAVE_WITHIN_S = 5.0  # for the last usage to be drained; what is not stays in the journal
STALE_AFTER_S = 5.0  # then health says so


class ControlPlane:
    """One gateway process. `start` gives a runtime that answers calls; `stop` lets streams end and drains the journal."""

    def __init__(self) -> None:
        self.incarnation = new_id("gw")
        self._database = DatabaseThread("gateway-control")
        self._feed_database = DatabaseThread("gateway-feed")  # its own, so that nothing delays a revocation
        self._drain_database = DatabaseThread("gateway-drain")
        self._probe_database = DatabaseThread("gateway-probe")  # which waits for providers
        self._kept_database = DatabaseThread("gateway-kept")  # whose commits responses wait for
        self._tasks: list[asyncio.Task[None]] = []
        self._dead: list[str] = []  # loops that ended by a defect

    async def start(self) -> Runtime:
        """Compile the snapshot, open the journal, start the loops, and give the recovery of dead processes a moment."""
        clock = SystemClock()
        self.money = LedgerMoney(self.incarnation, self._database, clock.now, settings.BILLING_TIME_ZONE)
        self.journals = _journals(self.incarnation)
        self.journal = await self.journals.begin()
        self.upstream = HttpUpstream()
        self.observing = Observing(
            lambda: self.runtime.snapshot, Gauges(self), SharedMetrics(settings.METRICS_DIR, self.incarnation)
        )
        kept = DatabaseKept(self._kept_database, clock.now, settings.PROVIDERS_KEEP)
        tokens = TokenCounter()
        tokens.check()
        self.runtime = Runtime(
            snapshot=await self._database.run(compile_all),
            key_ring=KeyRing(DatabaseKeys(self._database), settings.KEY_PEPPER, clock.monotonic),
            money=self.money,
            rates=_rates(),
            journal=self.journal,
            upstream=self.upstream,
            tokens=tokens,
            clock=clock,
            incarnation=self.incarnation,
            limits=Limits(
                max_connections=settings.MAX_CONNECTIONS,
                max_in_flight=settings.MAX_CALLS,
                stale_max_s=settings.STALE_MAX_S,
            ),
            observer=self.observing,
            kept=kept,
            fresh_at=clock.monotonic(),
        )
        loop = asyncio.get_running_loop()

        def heard(done: Ingested) -> None:
            loop.call_soon_threadsafe(self.money.settled, done.settled, done.shrunk)
            if done.doubted:
                loop.call_soon_threadsafe(self.money.doubt)

        self.drain = Drain(self.journals.reader(), heard)
        self.draining = Draining(self.journal, self.drain, self.journals, self._drain_database, self.money.settling)
        self.refresher = Refresher(self.runtime, self._feed_database, self.money, settings.FEED_POLL_MS / 1000)
        self.board = _board(self.runtime.incarnation)
        self.sharing = Sharing(self.runtime, self.board)
        prober = Prober(self.runtime, self.board, self._probe_database)
        loops = (self.refresher, self.draining, self.observing, self.sharing, prober, Settler(self.runtime, kept))
        self._tasks = [self._spawn(one.run()) for one in loops]
        local_rates.offer(self.runtime.rates)
        local_health.offer(self.runtime)
        await self._recovered()
        return self.runtime

    async def stop(self) -> None:
        """End in order: streams, loops, the rest of the journal, the ledger's leases."""
        local_rates.withdraw()
        local_health.withdraw()
        await self.runtime.close(STREAMS_END_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.observing.leave()
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await self._leave()
        except (DatabaseError, TimeoutError):
            log.error("the database is away: the rest of the journal is drained at the next start, or by a neighbour")
        for database in (
            self._probe_database, self._kept_database, self._drain_database, self._feed_database, self._database,
        ):  # fmt: skip
            database.shutdown(wait=False)

    async def _leave(self) -> None:
        await self.money.aclose()
        await self.runtime.rates.aclose()
        await self.board.aclose()
        await self.journals.end()
        await self._drain_database.run(recover, self.journals.dead)

    def state(self) -> dict[str, Any]:
        """Say how this gateway is, for `/healthz` and `/readyz`."""
        age = self.runtime.clock.monotonic() - self.runtime.fresh_at
        return {
            "incarnation": self.incarnation,
            "policy_version": self.runtime.snapshot.version if self.runtime.snapshot else 0,
            "policy_age_s": round(age, 1),
            "journal_backlog_bytes": max(0, self.journal.end - self.drain.offset),
            "journal_alarms": self.drain.alarms,
            "rates_degraded": bool(getattr(self.runtime.rates, "degraded", False)),
            "problems": self._problems(age),
            "ready": age < settings.STALE_MAX_S and not (self.runtime.closing or self.journal.refusal or self._dead),
        }

    def _problems(self, age_s: float) -> list[str]:
        """Say in sentences what an operator should look at."""
        found = [self.draining.problem] if self.draining.problem else []
        if age_s > STALE_AFTER_S:
            found.append(
                f"Policies are {age_s:.0f} s old. Known keys work until they are {settings.STALE_MAX_S} s old, others do not."
            )
        if getattr(self.runtime.rates, "degraded", False):
            found.append("Redis is away: each process counts rates against a share of their limits.")
        if self.refresher.failed:
            found.append("Changes cannot be taken over: calls go on under the policies from before. The log says why.")
        found += self._providers_out()
        found += [f"The loop {name} has ended by a defect: restart this process." for name in self._dead]
        if self.runtime.closing:
            found.append("The process is stopping.")
        return found

    def _providers_out(self) -> list[str]:
        health, now = self.runtime.health, self.runtime.clock.monotonic()
        refused = {one.place.provider for one in health.outages() if one.breaker.opened}
        failing = {one.place.provider for one in health.vitals() if one.breaker.state(now) != "closed"}
        return [
            f"The provider {name} refuses our credential: give it a valid one. Its deployments get no calls until then."
            for name in sorted(refused)
        ] + [
            f"The provider {name} fails at present: calls go elsewhere where they can, and it is tried now and then."
            for name in sorted(failing - refused)
        ]

    async def _recovered(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.draining.swept.wait(), RECOVER_FIRST_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=work.__qualname__)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A loop ends when it is cancelled, and never else: without it this process must get no calls."""
        if not task.cancelled():
            self._dead.append(task.get_name())
            log.critical(
                "the loop %s of this gateway has ended: restart it", task.get_name(), exc_info=task.exception()
            )


def _journals(incarnation: str) -> Journals:
    if settings.JOURNAL == "database":
        return TableJournals(incarnation, lambda: os.kill(os.getpid(), signal.SIGTERM))
    max_bytes = settings.JOURNAL_MAX_MB << 20
    return FileJournals(settings.JOURNAL_DIR, incarnation, fsync=settings.JOURNAL_FSYNC, max_bytes=max_bytes)


def _rates() -> RateStore:
    if not settings.REDIS_URL:
        return MemoryRateStore()
    from gateway.stores.redis import RedisRateStore  # needs a Redis client only here

    return RedisRateStore(settings.REDIS_URL)


def _board(name: str) -> Board:
    if not settings.REDIS_URL:
        return Alone()
    from gateway.stores.redis_board import RedisBoard  # needs a Redis client only here

    return RedisBoard(settings.REDIS_URL, name=name)
