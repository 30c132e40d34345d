"""Money in this process: reservations are handed out of leases in memory, and the ledger is asked when they run short."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from django.db import DatabaseError

from billing import escrow
from billing.escrow import Ask, Slot, Standing
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.journal.records import Hold
from gateway.quotas.interface import Granted, Remaining
from gateway.quotas.window import bounds_of
from gateway.snapshot import QuotaPolicy

P = ParamSpec("P")
T = TypeVar("T")

WAIT_S = 0.5  # how long a call waits for others to give back, before it is refused
RETRY_S = 0.05
SPARE = 20  # a lease is topped up for about this many calls of the same size
IDLE_S = 30.0


@dataclass(slots=True)
class Local:
    """This process's part of one balance (nano-USD). `leased` is ours in the ledger; `reserved` is promised or spent of it."""

    leased: int = 0
    reserved: int = 0
    touched: float = 0.0
    elsewhere: int = 0  # settled, or leased to others, when the ledger was last asked
    refused_at: float = 0.0  # when the ledger last had too little, and how little was asked of it
    refused_need: int = 0

    @property
    def free(self) -> int:
        return self.leased - self.reserved


class LedgerMoney:
    """The `MoneyStore` on the database. Used from the event loop only; the ledger is asked on the control thread.

    Fails closed: when the ledger cannot be asked and the lease does not suffice, `StoreUnavailable`.
    """

    def __init__(self, incarnation: str, database: DatabaseThread, now: Callable[[], float], time_zone: str) -> None:
        self._incarnation = incarnation
        self._database = database
        self._now = now
        self._time_zone = time_zone
        self._local: dict[Slot, Local] = {}
        self._refilling = asyncio.Lock()

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> Granted | Remaining:
        """See `MoneyStore.take`. Checks all, takes all, with no await in between; after a refill starts over."""
        deadline = self._now() + WAIT_S
        while True:
            slots = self._slots(asks)
            if not (short := self._short(slots)):
                return self._granted(slots)
            async with self._refilling:
                if not (short := self._short(slots)):
                    continue
                refused = self._just_refused(short) or await self._refill(short)
            if refused is None:
                continue
            if self._now() >= deadline or refused.need > refused.capacity:
                return self._remaining(next(q for q, slot, _, _ in slots if slot == (refused.quota_id, refused.period)))
            await asyncio.sleep(RETRY_S)

    def release(self, holds: Sequence[Hold], spent_nano_usd: int) -> None:
        """Free what was held and not spent. What was spent stays reserved until the drain has settled it."""
        for hold in holds:
            local = self._local.setdefault((hold.quota_id, hold.period), Local())
            local.reserved += spent_nano_usd - hold.amount

    async def peek(self, quotas: Sequence[QuotaPolicy]) -> list[Remaining]:
        """Say what is left of each, as the ledger sees it now; spending that is not settled yet counts."""
        slots = {self._slot(quota) for quota in quotas}
        found = await self._in_ledger(escrow.standings, slots)
        for slot, standing in found.items():
            self._local.setdefault(slot, Local()).elsewhere = self._elsewhere(slot, standing)
        return [self._remaining(quota) for quota in quotas]

    def settled(self, costs: Mapping[Slot, int], shrunk: Mapping[Slot, int]) -> None:
        """Hear from the drain what it moved from our leases to settled."""
        for slot, cost in costs.items():
            local = self._local.setdefault(slot, Local())
            local.leased -= shrunk.get(slot, 0)
            local.reserved -= cost
            local.elsewhere += cost

    async def return_free(self, wanted: Sequence[Slot]) -> None:
        """Give back what others want, and what lay idle. Our own balance is lowered first, the ledger's second."""
        idle_before = self._now() - IDLE_S
        idle = [slot for slot, local in self._local.items() if local.touched < idle_before]
        async with self._refilling:
            amounts = {}
            for slot in {*wanted, *idle}:
                local = self._local.get(slot)
                if local is not None and local.free > 0:
                    amounts[slot] = local.free
                    local.leased -= amounts[slot]
            for slot in idle:
                local = self._local[slot]
                if local.leased == 0 and local.reserved == 0:
                    del self._local[slot]
            if amounts:
                await self._give_back(amounts)

    async def recall(self, quota_ids: set[str]) -> None:
        """Give back what is free of quotas that were edited, so that a lowered limit holds at once."""
        await self.return_free([slot for slot in self._local if slot[0] in quota_ids])

    async def _give_back(self, amounts: dict[Slot, int]) -> None:
        try:
            await self._in_ledger(escrow.give_back, self._incarnation, amounts)
        except StoreUnavailable:
            for slot, amount in amounts.items():
                self._local.setdefault(slot, Local()).leased += amount
            raise

    async def _refill(self, short: list[Ask]) -> Ask | None:
        found, refused = await self._in_ledger(escrow.lease, self._incarnation, short)
        for slot, standing in found.items():
            local = self._local.setdefault(slot, Local())
            local.leased += standing.granted
            local.elsewhere = self._elsewhere(slot, standing)
            local.touched = self._now()
        if refused is not None:
            local = self._local.setdefault((refused.quota_id, refused.period), Local())
            local.refused_at, local.refused_need = self._now(), refused.need
        gone = [ask for ask in short if (ask.quota_id, ask.period) not in found]
        for ask in gone:  # the quota was deleted a moment ago: nothing limits this call there
            self._local.setdefault((ask.quota_id, ask.period), Local()).leased += ask.need
        return refused

    def _just_refused(self, short: list[Ask]) -> Ask | None:
        """Spare the ledger a question that it answered a moment ago: two hundred callers who wait ask it as one."""
        now = self._now()
        for ask in short:
            local = self._local.get((ask.quota_id, ask.period))
            if local is not None and ask.need >= local.refused_need and now - local.refused_at < RETRY_S:
                return ask
        return None

    async def _in_ledger(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._database.run(function, *args, **kwargs)
        except DatabaseError as error:
            raise StoreUnavailable("the ledger of budgets") from error

    def _elsewhere(self, slot: Slot, standing: Standing) -> int:
        return standing.settled + standing.leased - self._local.setdefault(slot, Local()).leased

    def _slot(self, quota: QuotaPolicy) -> Slot:
        return quota.id, bounds_of(quota, self._now(), self._time_zone)[0]

    def _slots(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> list[tuple[QuotaPolicy, Slot, int, Local]]:
        found = []
        for quota, need in asks:
            slot = self._slot(quota)
            found.append((quota, slot, need, self._local.setdefault(slot, Local())))
        return found

    def _short(self, slots: Sequence[tuple[QuotaPolicy, Slot, int, Local]]) -> list[Ask]:
        now = self._now()
        return [
            Ask(slot[0], slot[1], quota.capacity_at(now), need - local.free, need * SPARE)
            for quota, slot, need, local in slots
            if need > local.free
        ]

    def _granted(self, slots: Sequence[tuple[QuotaPolicy, Slot, int, Local]]) -> Granted:
        now = self._now()
        for _, _, need, local in slots:
            local.reserved += need
            local.touched = now
        holds = tuple(Hold(slot[0], slot[1], need) for _, slot, need, _ in slots)
        return Granted(holds, tuple(self._remaining(quota) for quota, _, _, _ in slots))

    def _remaining(self, quota: QuotaPolicy) -> Remaining:
        now = self._now()
        start, end = bounds_of(quota, now, self._time_zone)
        local = self._local.get((quota.id, start)) or Local()
        limit = quota.capacity_at(now)
        return Remaining(quota, limit, max(0, limit - local.elsewhere - local.reserved), float(end))


def wanted_now(incarnation: str) -> list[Slot]:
    """Ask the ledger which of our leases others want."""
    return escrow.wanted_of(incarnation, datetime.now(UTC))
