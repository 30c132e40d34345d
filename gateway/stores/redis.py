"""Rates and concurrency shared by all gateway processes: slices of each window are leased from Redis."""

from collections.abc import Mapping, Sequence

from gateway.quotas.baskets import Basket
from gateway.quotas.escrow import Escrow
from gateway.quotas.interface import Remaining
from gateway.quotas.leases import Leaseholder, LeaseState
from gateway.quotas.slices import Parts, Slice
from gateway.quotas.window import rate_bounds
from gateway.snapshot import Metric, QuotaPolicy
from gateway.stores.redis_leases import RedisLeases, share_of

TIMEOUT_S = 0.2  # the most that an outage adds to a call, and only until the breaker is open
LIVES_S = 30.0  # a dead process's calls in flight are free after this


class RedisRateStore:
    """A `RateStore` that is exact over all processes while Redis keeps its memory.

    It fails towards a conservative local share: while Redis is away (`degraded`), each process works on from the slices
    in hand, up to a quarter of every capacity. A slice lapses with its window, whatever became of its process; calls in
    flight are held under a heartbeat. Call `aclose` at the end.
    """

    def __init__(
        self, url: str, *, prefix: str = "atrium", timeout_s: float = TIMEOUT_S, lives_s: float = LIVES_S
    ) -> None:
        """Connect lazily to `url` (`redis://`, `rediss://`, `unix://`)."""
        self._escrow = Escrow(rate_bounds, lapses=True)
        self._redis = RedisLeases(url, self._escrow, prefix=prefix, timeout_s=timeout_s, lives_s=lives_s)
        self._holder = Leaseholder(self._escrow, self._redis, patient=False)

    @property
    def degraded(self) -> bool:
        """Whether Redis is away."""
        return self._redis.degraded

    def leases(self) -> LeaseState:
        """Say how leases stand, for metrics."""
        return self._holder.state()

    def in_hand(self, basket: Basket, amounts: Mapping[Metric, int], now: float) -> Parts | None:
        """See `RateStore.in_hand`."""
        return self._escrow.in_hand(basket, amounts, now)

    def book(self, parts: Parts) -> None:
        """See `RateStore.book`."""
        self._escrow.book(parts)
        if self._escrow.thin:
            self._holder.top_up()

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> list[tuple[Slice, int]] | Remaining:
        """See `RateStore.take`."""
        taken = self._escrow.take(asks, now)
        if taken is None:
            return await self._holder.wait(asks, now)
        if self._escrow.thin:
            self._holder.top_up()
        return taken

    async def give_back(self, asks: Sequence[tuple[QuotaPolicy, int, int]], now: float) -> None:
        """See `RateStore.give_back`. Where others wait, what is free is in Redis before this returns."""
        wanted = []
        for quota, start, amount in asks:
            part = self._escrow.free((quota.id, start), amount)
            if part is None:
                continue
            if amount < 0 and part.free < 0:  # used beyond what any slice held: let everybody know
                part.leased += min(-amount, -part.free)
                self._escrow.owed.setdefault(part.slot, 0)
            elif self._holder.is_wanted(part):
                wanted.append(part)
        if wanted:
            await self._holder.give_back(wanted)

    async def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Say what is left of each."""
        parts = [self._escrow.slice_of(quota, now) for quota in quotas]
        async with self._holder.one_at_a_time:
            others = await self._redis.declare(parts)
        for part, elsewhere in zip(
            parts, others or (part.capacity - share_of(part.capacity) for part in parts), strict=True
        ):
            part.elsewhere = elsewhere
        return [part.remaining(now) for part in parts]

    def recall(self, quota_ids: set[str]) -> None:
        """See `RateStore.recall`."""
        self._holder.recall(quota_ids)

    async def aclose(self) -> None:
        """Give back everything that is not used up, and disconnect."""
        await self._holder.stop()
        parts = list(self._escrow.slices.values())
        for part in parts:
            if part.quota.metric == "concurrent":
                part.reserved = 0
            part.leased = part.reserved
        await self._redis.declare(parts)
        await self._redis.close()
