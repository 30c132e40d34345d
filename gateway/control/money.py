"""Money in this process: reservations are handed out of leases in memory, and the ledger is asked when they run short."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ParamSpec, TypeVar

from django.db import DatabaseError

from billing import escrow as ledger
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.journal.records import Hold
from gateway.quotas.baskets import Basket
from gateway.quotas.escrow import Ask, Escrow
from gateway.quotas.interface import Granted, Remaining
from gateway.quotas.leases import Leaseholder, LeaseState
from gateway.quotas.slices import Parts, Slot, Standing, holds_of
from gateway.quotas.window import bounds_of
from gateway.snapshot import Metric, QuotaPolicy

PEEK_WITHIN_S = 3.0  # a ledger that hangs is a ledger that is away

P = ParamSpec("P")
T = TypeVar("T")


class LedgerMoney:
    """The `MoneyStore` on the database. Used from the event loop only; the ledger is asked on the control thread.

    Fails closed: when the ledger cannot be asked and the lease does not suffice, `StoreUnavailable`. Whoever runs the
    drain of this process holds `settling` meanwhile.
    """

    def __init__(self, incarnation: str, database: DatabaseThread, now: Callable[[], float], time_zone: str) -> None:
        self._now = now
        self._escrow = Escrow(lambda quota, at: bounds_of(quota, at, time_zone), lapses=False)
        self._ledger = Ledger(incarnation, database, self._escrow)
        self._holder = Leaseholder(self._escrow, self._ledger, patient=True)
        self.settling = self._ledger.settling

    def leases(self) -> LeaseState:
        """Say how leases stand, for metrics."""
        return self._holder.state()

    def in_hand(self, basket: Basket, amounts: Mapping[Metric, int]) -> Parts | None:
        """See `MoneyStore.in_hand`."""
        return self._escrow.in_hand(basket, amounts, self._now())

    def book(self, parts: Parts) -> None:
        """See `MoneyStore.book`."""
        self._escrow.book(parts)
        if self._escrow.thin:
            self._holder.top_up()

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> Granted | Remaining:
        """See `MoneyStore.take`."""
        now = self._now()
        taken = self._escrow.take(asks, now)
        if taken is None:
            waited = await self._holder.wait(asks, now)
            if isinstance(waited, Remaining):
                return waited
            taken = waited
        elif self._escrow.thin:
            self._holder.top_up()
        return Granted(holds_of(taken), taken)

    def release(self, holds: Sequence[Hold], spent_nano_usd: int) -> None:
        """Free what was held and not spent. What was spent stays reserved until the drain has settled it."""
        self._escrow.release(holds, spent_nano_usd)

    async def peek(self, quotas: Sequence[QuotaPolicy]) -> list[Remaining]:
        """Say what is left of each, as the ledger sees it now; spending that is not settled yet counts."""
        now = self._now()
        parts = [self._escrow.slice_of(quota, now) for quota in quotas]
        try:
            async with asyncio.timeout(PEEK_WITHIN_S):
                found = await self._ledger.run(ledger.standings, [part.slot for part in parts])
        except TimeoutError as error:
            raise StoreUnavailable("the ledger of budgets") from error
        for part in parts:
            standing = found[part.slot]
            part.elsewhere = standing.settled + standing.leased - part.leased
        return [part.remaining(now) for part in parts]

    def settled(self, costs: Mapping[Slot, int], shrunk: Mapping[Slot, int]) -> None:
        """Hear from the drain what it moved from our leases to settled."""
        for slot, cost in costs.items():
            part = self._escrow.free(slot, cost)
            if part is not None:
                part.leased -= shrunk.get(slot, 0)
                part.elsewhere += cost
                part.settled += cost

    def doubt(self) -> None:
        """Hear that nobody knows what we hold: the ledger is asked before anything else is asked of it."""
        self._ledger.doubt()

    def recall(self, quota_ids: set[str]) -> None:
        """Give back what is free of quotas that were edited, so that a lowered limit holds at once."""
        self._holder.recall(quota_ids)

    async def aclose(self) -> None:
        """End the work in the background. The leases stay until the journal is drained."""
        await self._holder.stop()


class Ledger:
    """An `Authority` on the database."""

    def __init__(self, incarnation: str, database: DatabaseThread, escrow: Escrow) -> None:
        self._incarnation, self._database, self._escrow = incarnation, database, escrow
        self._unsure = False  # a transaction broke, and nobody knows whether it was committed
        self.settling = asyncio.Lock()

    async def lease(self, bids: Sequence[Sequence[Ask]]) -> tuple[list[Ask | None], dict[Slot, Standing]]:
        """See `Authority.lease`."""
        await self._make_sure()
        return await self._surely(ledger.lease, self._incarnation, bids)

    async def give_back(self, amounts: dict[Slot, int]) -> None:
        """See `Authority.give_back`."""
        if not await self._make_sure():
            await self._surely(ledger.give_back, self._incarnation, amounts)

    async def wanted(self) -> Collection[Slot]:
        """See `Authority.wanted`."""
        return await self.run(ledger.wanted_now)

    def is_final(self) -> bool:
        """See `Authority.is_final`."""
        return False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask the ledger. Raises StoreUnavailable."""
        try:
            return await self._database.run(function, *args, **kwargs)
        except DatabaseError as error:
            raise StoreUnavailable("the ledger of budgets") from error

    def doubt(self) -> None:
        """Take what we think we hold as not known."""
        self._unsure = True

    async def _surely(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self.run(function, *args, **kwargs)
        except BaseException:
            self._unsure = True
            raise

    async def _make_sure(self) -> bool:
        """After a doubt learn from the ledger what we hold: exact while nothing is settled. What is free goes back."""
        if not self._unsure:
            return False
        async with self.settling:
            self._unsure = False
            held = await self._surely(ledger.held_by, self._incarnation)
            parts = self._escrow.slices
            for slot, part in parts.items():
                part.leased = held.get(slot, 0)
            self._escrow.owed.clear()
            self._escrow.lower(parts.values())
        return True
