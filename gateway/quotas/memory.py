"""Money kept in memory: the exact store of tests and benchmarks."""

import time
from collections.abc import Callable, Sequence

from gateway.journal.records import Hold
from gateway.quotas.interface import Granted, Remaining
from gateway.quotas.window import bounds_of
from gateway.snapshot import QuotaPolicy


class MemoryMoneyStore:
    """An exact `MoneyStore` of one process that has no drain: releasing settles at once.

    Nothing is granted when spent + held + asked would pass the capacity; what a call costs beyond its hold is debt.
    """

    def __init__(self, time_zone: str = "UTC", clock: Callable[[], float] = time.time) -> None:
        self._time_zone = time_zone
        self._clock = clock
        self._held: dict[tuple[str, int], int] = {}  # nano-USD by (quota, period)
        self._spent: dict[tuple[str, int], int] = {}

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> Granted | Remaining:
        """Take each amount (nano-USD), all or none; each quota is named once."""
        now = self._clock()
        for quota, amount in asks:
            left = self._remaining(quota, now)
            if amount > left.left:
                return left
        holds = []
        for quota, amount in asks:
            period = bounds_of(quota, now, self._time_zone)[0]
            holds.append(Hold(quota.id, period, amount))
            self._held[quota.id, period] = self._held.get((quota.id, period), 0) + amount
        return Granted(tuple(holds), tuple(self._remaining(quota, now) for quota, _ in asks))

    def release(self, holds: Sequence[Hold], spent_nano_usd: int) -> None:
        """Give each hold back and count what was spent in the period it was reserved in."""
        for hold in holds:
            key = hold.quota_id, hold.period
            self._held[key] = self._held.get(key, 0) - hold.amount
            self._spent[key] = self._spent.get(key, 0) + spent_nano_usd

    async def peek(self, quotas: Sequence[QuotaPolicy]) -> list[Remaining]:
        """Say what is left of each, without taking anything."""
        now = self._clock()
        return [self._remaining(quota, now) for quota in quotas]

    def spent(self, quota_id: str) -> int:
        """Return what was spent of a quota over all its periods, in nano-USD."""
        return sum(amount for (owner, _), amount in self._spent.items() if owner == quota_id)

    def held(self, quota_id: str) -> int:
        """Return what is held of a quota over all its periods, in nano-USD."""
        return sum(amount for (owner, _), amount in self._held.items() if owner == quota_id)

    def _remaining(self, quota: QuotaPolicy, now: float) -> Remaining:
        period, end = bounds_of(quota, now, self._time_zone)
        key = quota.id, period
        capacity = quota.capacity_at(now)
        left = capacity - self._held.get(key, 0) - self._spent.get(key, 0)
        return Remaining(quota, capacity, max(0, left), float(end), period)
