"""Rates and concurrency of one process that is alone: it holds all there is, and asks nobody."""

from collections.abc import Mapping, Sequence

from gateway.quotas.baskets import Basket
from gateway.quotas.interface import Remaining
from gateway.quotas.memory import SoleEscrow
from gateway.quotas.slices import Parts, Slice
from gateway.quotas.window import rate_bounds
from gateway.snapshot import Metric, QuotaPolicy


class MemoryRateStore:
    """An exact `RateStore` of one process. It fails neither open nor closed: it cannot fail.

    A window is forgotten once it has ended, so memory is bounded by the quotas in use.
    """

    def __init__(self) -> None:
        self._escrow = SoleEscrow(rate_bounds, lapses=True)

    def in_hand(self, basket: Basket, amounts: Mapping[Metric, int], now: float) -> Parts | None:
        """See `RateStore.in_hand`."""
        return self._escrow.in_hand(basket, amounts, now)

    def book(self, parts: Parts) -> None:
        """See `RateStore.book`."""
        self._escrow.book(parts)

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> list[tuple[Slice, int]] | Remaining:
        """See `RateStore.take`."""
        return self._escrow.take_or_refuse(asks, now)

    async def give_back(self, asks: Sequence[tuple[QuotaPolicy, int, int]], now: float) -> None:
        """See `RateStore.give_back`."""
        for quota, start, amount in asks:
            self._escrow.free((quota.id, start), amount)

    async def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Say what is left of each."""
        return [self._escrow.slice_of(quota, now).remaining(now) for quota in quotas]

    def recall(self, quota_ids: set[str]) -> None:
        """Do nothing: a lowered limit holds at the next call."""

    async def aclose(self) -> None:
        """Nothing to let go."""
