"""Counters of rates and concurrency in the memory of one process."""

import heapq
from collections.abc import Sequence

from gateway.quotas.interface import Remaining
from gateway.quotas.window import bounds
from gateway.snapshot import QuotaPolicy

RETRY_S = 1.0  # a place may become free at any time: say "in a second"
_LATE_S = 60.0  # a window is kept this long after its end, for what is given back late


class MemoryRateStore:
    """An exact `RateStore` of one process. It fails neither open nor closed: it cannot fail.

    A window's counter is forgotten a minute after the window ended, so memory is bounded by the quotas in use.
    `share` divides every capacity: what one of several processes may use when they cannot ask each other.
    """

    def __init__(self, share: int = 1) -> None:
        self._share = share
        self._used: dict[tuple[str, int], int] = {}  # by (quota, window start)
        self._ends: list[tuple[int, str, int]] = []  # heap of (end, quota, window start)
        self._slots: dict[str, int] = {}  # calls in flight by quota

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> list[Remaining] | Remaining:
        """Take each amount, all or none; each quota is named once. An amount of 0 is always granted."""
        self._forget(now)
        for quota, amount in asks:
            if amount > 0 and self._count(quota, now) + amount > self._capacity(quota, now):
                return self._remaining(quota, now)
        for quota, amount in asks:
            self._add(quota, amount, now)
        return [self._remaining(quota, now) for quota, _ in asks]

    async def give_back(self, asks: Sequence[tuple[QuotaPolicy, int, int]], now: float) -> None:
        """Return amounts to the windows they were taken from; a negative amount charges what a call used beyond."""
        for quota, start, amount in asks:
            if quota.metric == "concurrent":
                self.free_slots(quota.id, amount)
            elif (quota.id, start) in self._used:
                self._used[quota.id, start] = max(0, self._used[quota.id, start] - amount)
        self._forget(now)

    async def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Say what is left of each."""
        return [self._remaining(quota, now) for quota in quotas]

    async def aclose(self) -> None:
        """Nothing to let go."""

    def counted(self, quota: QuotaPolicy, start: int) -> int:
        """Return how much of the window that began at `start` was taken here."""
        return self._used.get((quota.id, start), 0)

    def slots(self) -> dict[str, int]:
        """Return the calls in flight by quota id."""
        return dict(self._slots)

    def hold_slots(self, quota_id: str, amount: int) -> None:
        """Count calls as in flight, whatever the capacity."""
        if amount:
            self._slots[quota_id] = self._slots.get(quota_id, 0) + amount

    def free_slots(self, quota_id: str, amount: int) -> None:
        """Count calls as ended."""
        left = self._slots.get(quota_id, 0) - amount
        if left > 0:
            self._slots[quota_id] = left
        else:
            self._slots.pop(quota_id, None)

    def _add(self, quota: QuotaPolicy, amount: int, now: float) -> None:
        if quota.metric == "concurrent":
            self.hold_slots(quota.id, amount)
        elif amount:
            start, end = bounds(quota.window, now, "UTC")
            if (quota.id, start) not in self._used:
                heapq.heappush(self._ends, (end, quota.id, start))
            self._used[quota.id, start] = self._used.get((quota.id, start), 0) + amount

    def _count(self, quota: QuotaPolicy, now: float) -> int:
        if quota.metric == "concurrent":
            return self._slots.get(quota.id, 0)
        return self._used.get((quota.id, bounds(quota.window, now, "UTC")[0]), 0)

    def _capacity(self, quota: QuotaPolicy, now: float) -> int:
        capacity = quota.capacity_at(now)
        return max(1, capacity // self._share) if capacity > 0 else 0

    def _remaining(self, quota: QuotaPolicy, now: float) -> Remaining:
        return remaining(quota, self._capacity(quota, now), self._count(quota, now), now)

    def _forget(self, now: float) -> None:
        while self._ends and self._ends[0][0] + _LATE_S <= now:
            _, quota_id, start = heapq.heappop(self._ends)
            self._used.pop((quota_id, start), None)


def remaining(quota: QuotaPolicy, capacity: int, used: int, now: float) -> Remaining:
    """Say what is left of `quota` when `used` of `capacity` is taken."""
    concurrent = quota.metric == "concurrent"
    resets_at = now + RETRY_S if concurrent else float(bounds(quota.window, now, "UTC")[1])
    return Remaining(quota, capacity, max(0, capacity - used), resets_at)
