"""Limits of one process that is alone: it holds all there is, and asks nobody."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gateway.journal.records import Hold
from gateway.quotas.baskets import Basket
from gateway.quotas.escrow import Escrow
from gateway.quotas.interface import Granted, Remaining
from gateway.quotas.slices import Parts, Slice, holds_of
from gateway.quotas.window import bounds_of
from gateway.snapshot import Metric, QuotaPolicy


class SoleEscrow(Escrow):
    """The escrow of a process that is alone: each slice is the whole window."""

    def slice_of(self, quota: QuotaPolicy, now: float) -> Slice:
        part = super().slice_of(quota, now)
        part.leased = part.capacity
        self.owed.clear()
        return part

    def take_or_refuse(
        self, asks: Sequence[tuple[QuotaPolicy, int]], now: float
    ) -> list[tuple[Slice, int]] | Remaining:
        """Take each amount, all or none; a `Remaining` names the quota that did not allow it."""
        taken = self.take(asks, now)
        if taken is not None:
            return taken
        parts = [(self.slice_of(quota, now), need) for quota, need in asks]
        return next(part for part, need in parts if need > part.free and need > 0).remaining(now)


class MemoryMoneyStore:
    """The exact `MoneyStore` of tests and benchmarks: without a drain, releasing settles at once.

    Nothing is granted when spent + held + asked would pass the capacity; what a call costs beyond its hold is debt.
    """

    def __init__(self, time_zone: str = "UTC", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._escrow = SoleEscrow(lambda quota, now: bounds_of(quota, now, time_zone), lapses=False)
        self._spent: Counter[str] = Counter()  # nano-USD by quota

    def in_hand(self, basket: Basket, amounts: Mapping[Metric, int]) -> Parts | None:
        """See `MoneyStore.in_hand`."""
        return self._escrow.in_hand(basket, amounts, self._clock())

    def book(self, parts: Parts) -> None:
        """See `MoneyStore.book`."""
        self._escrow.book(parts)

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> Granted | Remaining:
        """Take each amount (nano-USD), all or none; each quota is named once."""
        taken = self._escrow.take_or_refuse(asks, self._clock())
        return taken if isinstance(taken, Remaining) else Granted(holds_of(taken), taken)

    def release(self, holds: Sequence[Hold], spent_nano_usd: int) -> None:
        """Give each hold back and count what was spent in the period it was reserved in."""
        self._escrow.release(holds, spent_nano_usd)
        for hold in holds:
            self._spent[hold.quota_id] += spent_nano_usd

    async def peek(self, quotas: Sequence[QuotaPolicy]) -> list[Remaining]:
        """Say what is left of each, without taking anything."""
        now = self._clock()
        return [self._escrow.slice_of(quota, now).remaining(now) for quota in quotas]

    def spent(self, quota_id: str) -> int:
        """Return what was spent of a quota over all its periods, in nano-USD."""
        return self._spent[quota_id]

    def held(self, quota_id: str) -> int:
        """Return what is held of a quota over all its periods, in nano-USD."""
        return sum(part.reserved for slot, part in self._escrow.slices.items() if slot[0] == quota_id) - self.spent(
            quota_id
        )
