"""Redis as the store that grants leases of rates and of calls in flight, and what happens while it is away."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Collection, Iterable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.quotas.escrow import Account, Ask, Escrow, decide
from gateway.quotas.slices import Slice, Slot, Standing
from gateway.snapshot import UNSET
from gateway.stores import scripts

log = logging.getLogger(__name__)

LOCAL_SHARE = 4
AWAY_S = 0.5
GRACE_S = 0.02  # for an answer that is there, but that a busy loop has not read yet
_LATE_MS = 60_000  # a window is kept this long after its end: clocks differ
_LONGEST_MS = 400 * 86_400_000
_AT_ONCE = 100  # leases declared by one script


class RedisLeases:
    """An `Authority` on Redis. It never fails: while Redis is away (`degraded`), it grants a quarter of each capacity.

    What this process holds is declared again after Redis was away or lost its memory.
    """

    def __init__(self, url: str, escrow: Escrow, *, prefix: str, timeout_s: float, lives_s: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=8,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            decode_responses=True,
        )
        self._redis = Redis.from_pool(pool)  # which it then closes
        self._lease = self._redis.register_script(scripts.LEASE)
        self._look = self._redis.register_script(scripts.LOOK)
        self._declare = self._redis.register_script(scripts.DECLARE)
        self._escrow = escrow
        self._prefix = "{" + prefix + "}"  # one hash slot, as a script may touch keys of one slot only
        self._timeout_s, self._lives_s = timeout_s, lives_s
        self._process = secrets.token_hex(8)
        self._number = 0
        self._known = False
        self._beat_at = time.monotonic() + lives_s / 3
        self._away_since = 0.0  # monotonic
        self.degraded = False

    async def lease(self, bids: Sequence[Sequence[Ask]]) -> tuple[list[Ask | None], dict[Slot, Standing]]:
        """See `Authority.lease`."""
        slots = list(dict.fromkeys(ask[:2] for bid in bids for ask in bid))
        parts = [self._escrow.slices[slot] for slot in slots]
        limits = self._limits(parts, bids)
        offers: list[str | int] = [len(bids)]
        for bid in bids:
            offers.append(len(bid))
            for ask in bid:
                offers += [slots.index(ask[:2]) + 1, ask.need]
        held = [part.leased for part in parts]
        answer = await self._run(self._lease, parts, [*limits, *offers])
        if answer is None:
            return self._share(bids, parts)
        refusals, counts = answer[: len(bids)], answer[len(bids) :]
        refused = [
            next(ask for ask in bid if ask[:2] == slots[tight - 1]) if tight else None
            for bid, tight in zip(bids, refusals, strict=True)
        ]
        standings = {
            slot: Standing(0, counts[2 * n] + counts[2 * n + 1], counts[2 * n] - held[n])
            for n, slot in enumerate(slots)
        }
        return refused, standings

    def is_final(self) -> bool:
        """See `Authority.is_final`. A moment's silence is no outage yet: whoever would be refused waits for its end."""
        return self.degraded and time.monotonic() - self._away_since >= AWAY_S

    async def give_back(self, amounts: dict[Slot, int]) -> None:
        """See `Authority.give_back`."""
        await self.declare([part for slot in amounts if (part := self._escrow.slices.get(slot)) is not None])

    async def wanted(self) -> Collection[Slot]:
        """See `Authority.wanted`. Also sees to it that Redis knows what this process holds: `owed` says it again."""
        if self.degraded:
            if await self._guarded(self._redis.ping()) is not None:
                log.warning("Redis is back: rates are shared again.")
                self.degraded = False
                self._owe_everything()
            return ()
        keys = [self._key("processes"), self._key("wanted")]
        answer = await self._guarded(self._look(keys=keys, args=[self._process]))
        if answer is None:
            return ()
        if self._known and not answer[0]:
            log.warning("Redis lost its memory: limits in use are declared again.")
            self._owe_everything()
        elif time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + self._lives_s / 3
            parts = list(self._escrow.slices.values())
            for part in [part for part in parts if _is_gauge(part)] or parts[:1]:
                self._escrow.owed.setdefault(part.slot, 0)
        return {self._slot(key) for key in answer[1:]}

    async def declare(self, parts: Sequence[Slice]) -> list[int] | None:
        """Say what this process holds of each; returns what others hold, None when Redis is away."""
        others: list[int] = []
        for first in range(0, len(parts) or 1, _AT_ONCE):
            some = await self._run(self._declare, parts[first : first + _AT_ONCE], [])
            if some is None:
                return None
            others += some
        return others

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def _share(
        self, bids: Sequence[Sequence[Ask]], parts: Iterable[Slice]
    ) -> tuple[list[Ask | None], dict[Slot, Standing]]:
        """Decide alone: what this process holds stays below its share."""
        accounts = {part.slot: Account(part.leased, wanted=True) for part in parts}
        asks = [[ask._replace(capacity=share_of(ask.capacity)) for ask in bid] for bid in bids]
        refused = decide(asks, accounts)
        standings = {}
        for part in parts:
            account = accounts[part.slot]
            elsewhere = part.capacity - share_of(part.capacity)
            standings[part.slot] = Standing(0, account.out + elsewhere, account.granted)
        return refused, standings

    async def _run(self, script: Any, parts: Sequence[Slice], arguments: Iterable[str | int]) -> list[int] | None:
        """Run a script on leases; None when Redis is away."""
        if self.degraded:
            return None
        self._number += 1
        keys = [self._key("processes"), self._key("wanted"), *(self._lease_key(part.slot) for part in parts)]
        holdings: list[str | int] = [self._process, self._number, int(self._lives_s * 1000), len(parts)]
        for part in parts:
            holdings += [self._keep_ms(part), part.leased]
        answer = await self._guarded(script(keys=keys, args=[*holdings, *arguments]))
        if answer is None or answer[0] < 0:
            return None
        if self._known and answer[0] == 0:
            self._owe_everything()
        self._known = True
        return list(answer[1:])

    async def _guarded(self, asking: Awaitable[Any]) -> Any:
        """Await Redis; None when it is away: the breaker then keeps callers from waiting."""
        answer = asyncio.ensure_future(asking)
        try:
            if not (await asyncio.wait({answer}, timeout=self._timeout_s))[0]:
                await asyncio.wait({answer}, timeout=GRACE_S)
            if not answer.done():
                raise TimeoutError
            return answer.result()
        except (RedisError, OSError, TimeoutError) as error:
            if not self.degraded:
                log.warning(
                    "Redis is away (%s): rates are counted locally, at a quarter of each limit.", type(error).__name__
                )
                self.degraded, self._away_since = True, time.monotonic()
            return None
        finally:
            answer.cancel()

    def _owe_everything(self) -> None:
        """Let go of what is free, and have the rest declared anew."""
        parts = list(self._escrow.slices.values())
        self._escrow.lower(parts)
        for part in parts:
            self._escrow.owed.setdefault(part.slot, 0)

    def _limits(self, parts: Iterable[Slice], bids: Iterable[Iterable[Ask]]) -> list[int]:
        spare: dict[Slot, int] = {}
        for ask in (ask for bid in bids for ask in bid):
            spare[ask[:2]] = max(ask.spare, spare.get(ask[:2], 0))
        return [number for part in parts for number in (part.capacity, spare[part.slot])]

    def _keep_ms(self, part: Slice) -> int:
        if _is_gauge(part):
            return 0
        return _LONGEST_MS if part.end >= UNSET else int((part.end - time.time()) * 1000) + _LATE_MS

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _lease_key(self, slot: Slot) -> str:
        return f"{self._prefix}:lease:{slot[0]}:{slot[1]}"

    def _slot(self, key: str) -> Slot:
        quota_id, start = key.removeprefix(f"{self._prefix}:lease:").rsplit(":", 1)
        return quota_id, int(start)


def share_of(capacity: int) -> int:
    """Return what one process may hand out alone of a capacity that several share."""
    return max(1, capacity // LOCAL_SHARE) if capacity > 0 else 0


def _is_gauge(part: Slice) -> bool:
    return part.quota.metric == "concurrent"
