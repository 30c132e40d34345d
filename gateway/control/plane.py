"""Starts and stops a gateway in this process: snapshot, key ring, money, journal, and the loops that keep them current."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from billing.ingest import Ingested
from gateway.control.compile import compile_all
from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain, recover
from gateway.control.keys import DatabaseKeys
from gateway.control.money import LedgerMoney, wanted_now
from gateway.control.observe import LoggedCalls
from gateway.control.refresh import Refresher
from gateway.errors import StoreUnavailable
from gateway.http.client import HttpUpstream
from gateway.ids import new_id
from gateway.journal.reader import JournalReader
from gateway.journal.writer import JournalWriter
from gateway.keyring import KeyRing
from gateway.quotas.interface import RateStore
from gateway.runtime import Limits, Runtime, SystemClock
from gateway.stores.memory import MemoryRateStore
from gateway.tokens import TokenCounter

log = logging.getLogger(__name__)

DRAIN_IDLE_S = 0.2
RETRY_S = 1.0
STREAMS_END_WITHIN_S = 20.0


class ControlPlane:
    """One gateway process. `start` gives a runtime that answers calls; `stop` lets streams end and drains the journal."""

    def __init__(self) -> None:
        self.incarnation = new_id("gw")
        self._database = DatabaseThread("gateway-control")
        self._feed_database = DatabaseThread("gateway-feed")  # its own, so that nothing delays a revocation
        self._drain_database = DatabaseThread("gateway-drain")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Runtime:
        """Recover what dead processes left, compile the snapshot, open the journal, start the loops."""
        await self._drain_database.run(recover, settings.JOURNAL_DIR)
        clock = SystemClock()
        self.money = LedgerMoney(self.incarnation, self._database, clock.now, settings.BILLING_TIME_ZONE)
        self.journal = JournalWriter(settings.JOURNAL_DIR, self.incarnation, fsync=settings.JOURNAL_FSYNC)
        tokens = TokenCounter()
        tokens.warm()
        self.runtime = Runtime(
            snapshot=await self._database.run(compile_all),
            key_ring=KeyRing(DatabaseKeys(self._database), settings.KEY_PEPPER, clock.monotonic),
            money=self.money,
            rates=_rates(),
            journal=self.journal,
            upstream=HttpUpstream(),
            tokens=tokens,
            clock=clock,
            incarnation=self.incarnation,
            limits=Limits(stale_max_s=settings.STALE_MAX_S),
            observer=LoggedCalls(),
            fresh_at=clock.monotonic(),
        )
        loop = asyncio.get_running_loop()

        def heard(done: Ingested) -> None:
            loop.call_soon_threadsafe(self.money.settled, done.settled, done.shrunk)

        self.drain = Drain(JournalReader(settings.JOURNAL_DIR, self.incarnation), heard)
        self.refresher = Refresher(self.runtime, self._feed_database, self.money, settings.FEED_POLL_MS / 1000)
        self._tasks = [
            self._spawn(loop_) for loop_ in (self.refresher.run(), self._drain_loop(), self._give_back_loop())
        ]
        return self.runtime

    async def stop(self) -> None:
        """End in order: streams, loops, the rest of the journal, the ledger's leases."""
        await self.runtime.close(STREAMS_END_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runtime.rates.aclose()
        self.journal.close()
        try:
            await self._drain_database.run(recover, settings.JOURNAL_DIR)
        except DatabaseError:
            log.error("the database is away: the rest of the journal is drained at the next start")
        self._drain_database.shutdown()
        self._feed_database.shutdown()
        self._database.shutdown()

    def state(self) -> dict[str, Any]:
        """Say how this gateway is, for `/healthz` and `/readyz`."""
        age = self.runtime.clock.monotonic() - self.runtime.fresh_at
        return {
            "incarnation": self.incarnation,
            "policy_version": self.runtime.snapshot.version if self.runtime.snapshot else 0,
            "policy_age_s": round(age, 1),
            "journal_backlog_bytes": max(0, self.journal.end - self.drain.offset),
            "journal_alarms": self.drain.alarms,
            "ready": age < settings.STALE_MAX_S,
        }

    async def _drain_loop(self) -> None:
        failed = 0
        while True:
            try:
                moved = await self._drain_database.run(self.drain.step)
                failed = 0
            except Exception:
                failed += 1
                moved = 0
                if failed in {1, 10} or failed % 100 == 0:
                    log.exception("usage waits in the journal (%d tries); nothing is lost", failed)
            if not moved:
                await asyncio.sleep(RETRY_S if failed else DRAIN_IDLE_S)

    async def _give_back_loop(self) -> None:
        while True:
            await asyncio.sleep(settings.FEED_POLL_MS / 1000)
            with contextlib.suppress(StoreUnavailable, DatabaseError):  # said by the other loops
                await self.money.return_free(await self._database.run(wanted_now, self.incarnation))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)


def _rates() -> RateStore:
    if not settings.REDIS_URL:
        return MemoryRateStore()
    from gateway.stores.redis import RedisRateStore  # needs a Redis client only here

    return RedisRateStore(settings.REDIS_URL)
