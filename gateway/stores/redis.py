"""Counters of rates and concurrency in Redis, shared by all gateway processes."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.quotas.interface import Remaining
from gateway.quotas.window import bounds
from gateway.snapshot import QuotaPolicy
from gateway.stores import scripts
from gateway.stores.memory import MemoryRateStore, remaining

log = logging.getLogger(__name__)

TIMEOUT_S = 0.2  # the most that an outage adds to a call, and only until the breaker is open
PROBE_S = 0.25
SLOT_S = 30.0  # a dead process's slots are free after this
LOCAL_SHARE = 4
_LATE_MS = 60_000  # a window is kept this long after its end, for what is given back late
_LONGEST_MS = 400 * 86_400_000
_MOST_OWED = 10_000


class RedisRateStore:
    """A `RateStore` that is exact over all processes while Redis keeps its memory.

    It fails towards a conservative local share: while Redis is away (`degraded`), each process counts for itself and
    hands out a quarter of every capacity. Calls in flight are held under a heartbeat and declared again after Redis
    lost its memory; the counters of rates then begin anew. Call `aclose` at the end.
    """

    def __init__(
        self, url: str, *, prefix: str = "atrium", timeout_s: float = TIMEOUT_S, slot_s: float = SLOT_S
    ) -> None:
        """Connect lazily to `url` (`redis://`, `rediss://`, `unix://`)."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._redis = Redis.from_pool(pool)  # which it then closes
        self._take = self._redis.register_script(scripts.TAKE)
        self._give_back = self._redis.register_script(scripts.GIVE_BACK)
        self._heartbeat = self._redis.register_script(scripts.HEARTBEAT)
        self._prefix = "{" + prefix + "}"  # one hash slot, as a script may touch keys of one slot only
        self._timeout_s = timeout_s
        self._slot_s = slot_s
        self._process = secrets.token_hex(8)
        self._local = MemoryRateStore(LOCAL_SHARE)  # counts the calls in flight always, rates only while degraded
        self._owed: deque[tuple[QuotaPolicy, int, int]] = deque(maxlen=_MOST_OWED)
        self._drifted: set[str] = set()  # quotas whose slots Redis may hold wrongly since it was away
        self._replace_until = 0.0  # time.monotonic(): heartbeats replace what Redis holds
        self._tending: asyncio.Task[None] | None = None
        self.degraded = False

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> list[Remaining] | Remaining:
        """Take each amount, all or none; each quota is named once. An amount of 0 is always granted."""
        answer = await self._used(asks, now)
        if answer is None:
            self._drifted.update(quota.id for quota, _ in asks if quota.metric == "concurrent")
            return await self._local.take(asks, now)
        refused, used = answer
        left = [
            remaining(quota, quota.capacity_at(now), count, now) for (quota, _), count in zip(asks, used, strict=True)
        ]
        if refused:
            return left[refused - 1]
        for quota, amount in asks:
            if quota.metric == "concurrent":
                self._local.hold_slots(quota.id, amount)
        return left

    async def give_back(self, asks: Sequence[tuple[QuotaPolicy, int, int]], now: float) -> None:
        """Return amounts to the windows they were taken from; a negative amount charges what a call used beyond."""
        here = [ask for ask in asks if self._was_local(*ask)]
        there = [ask for ask in asks if ask not in here]
        await self._local.give_back(here, now)
        slots = [ask for ask in there if ask[0].metric == "concurrent"]
        for quota, _, amount in slots:
            self._local.free_slots(quota.id, amount)
        if self.degraded:
            self._owed.extend(ask for ask in there if ask not in slots)
        elif there:
            await self._return(there)
        if self.degraded:
            self._drifted.update(quota.id for quota, _, _ in slots)

    async def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Say what is left of each."""
        answer = await self._used([(quota, 0) for quota in quotas], now)
        if answer is None:
            return await self._local.peek(quotas, now)
        return [
            remaining(quota, quota.capacity_at(now), used, now) for quota, used in zip(quotas, answer[1], strict=True)
        ]

    async def aclose(self) -> None:
        """Free this process's slots and disconnect."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        held = list(self._local.slots())
        if held and not self.degraded:
            await self._ask(
                self._heartbeat, [self._slots_key(name) for name in held], self._own("1", *(0 for _ in held))
            )
        await self._redis.aclose()

    async def _used(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> tuple[int, list[int]] | None:
        """Run the script that takes; return which ask refused (from 1; 0: none), and what is used of each."""
        if not asks:
            return 0, []
        keys, arguments = [], []
        for quota, amount in asks:
            if quota.metric == "concurrent":
                keys.append(self._slots_key(quota.id))
                keep_ms = 0
            else:
                start, end = bounds(quota.window, now, "UTC")
                keys.append(self._rate_key(quota.id, start))
                keep_ms = min(int((end - now) * 1000) + _LATE_MS, _LONGEST_MS)
            arguments += [keep_ms, amount, quota.capacity_at(now)]
        answer = await self._ask(self._take, keys, self._own(*arguments))
        return None if answer is None else (answer[0], answer[1:])

    async def _return(self, asks: Sequence[tuple[QuotaPolicy, int, int]]) -> None:
        keys, arguments = [], []
        for quota, start, amount in asks:
            concurrent = quota.metric == "concurrent"
            keys.append(self._slots_key(quota.id) if concurrent else self._rate_key(quota.id, start))
            arguments += [0 if concurrent else 1, amount]
        await self._ask(self._give_back, keys, self._own(*arguments))

    def _was_local(self, quota: QuotaPolicy, start: int, amount: int) -> bool:
        return quota.metric != "concurrent" and amount > 0 and self._local.counted(quota, start) >= amount

    def _rate_key(self, quota_id: str, start: int) -> str:
        return f"{self._prefix}:rate:{quota_id}:{start}"

    def _slots_key(self, quota_id: str) -> str:
        return f"{self._prefix}:slots:{quota_id}"

    def _own(self, *arguments: str | int) -> list[str | int]:
        return [self._process, int(self._slot_s * 1000), *arguments]

    async def _ask(self, script: Any, keys: list[str], arguments: list[str | int]) -> Any:
        """Run a script; None when Redis is away: the breaker then keeps further calls from waiting."""
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="redis-rates")
        if self.degraded:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await script(keys=keys, args=arguments)
        except (RedisError, OSError, TimeoutError) as error:
            if not self.degraded:
                log.warning(
                    "Redis is away (%s): rates are counted locally, at a quarter of each limit.", type(error).__name__
                )
            self.degraded = True
            return None

    async def _tend(self) -> None:
        """Keep the slots of this process alive; while degraded, look whether Redis is back."""
        beat_at = time.monotonic() + self._slot_s / 3
        while True:
            await asyncio.sleep(min(PROBE_S, self._slot_s / 3))
            if self.degraded:
                await self._recover()
            elif time.monotonic() >= beat_at:
                await self._beat(replace=time.monotonic() < self._replace_until)
                beat_at = time.monotonic() + self._slot_s / 3

    async def _recover(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            return
        self.degraded = False
        # What timed out may have been carried out all the same, even a little later.
        self._replace_until = time.monotonic() + 2 * self._slot_s
        await self._beat(replace=True)
        owed = list(self._owed)
        self._owed.clear()
        for first in range(0, len(owed), 100):
            await self._return(owed[first : first + 100])
        if not self.degraded:
            log.warning("Redis is back: rates are shared again.")

    async def _beat(self, replace: bool) -> None:
        slots = self._local.slots()
        if replace:
            slots = dict.fromkeys(self._drifted, 0) | slots
        else:
            self._drifted.clear()
        if slots:
            keys = [self._slots_key(name) for name in slots]
            await self._ask(self._heartbeat, keys, self._own("1" if replace else "0", *slots.values()))
