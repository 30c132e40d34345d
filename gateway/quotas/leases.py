"""Leases of a process: callers wait here for a slice that suffices, and what others want goes back."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import StoreUnavailable
from gateway.quotas.authority import Authority
from gateway.quotas.caller import Caller
from gateway.quotas.escrow import Ask, Escrow
from gateway.quotas.interface import Remaining
from gateway.quotas.slices import Slice, Slot, Standing
from gateway.snapshot import QuotaPolicy

log = logging.getLogger(__name__)

WAIT_S = 0.5  # how long a caller waits for others to give back, before it is refused
RETRY_S = 0.05
SURE_S = 1.0  # how long a budget that is used up is taken as such, before the store is asked again
POLL_S = 0.08  # how often a holder asks what others want
IDLE_S = 30.0
LOOK_S = 1.0  # how often it looks for slices that lie idle
ANSWER_S = 3.0  # the most that a caller waits for a store that says nothing

Asks = Sequence[tuple[QuotaPolicy, int]]


@dataclass(frozen=True, slots=True)
class LeaseState:
    """How leases stand, for metrics. `waiting`, `wanted`: callers and windows now; `waits`: callers that waited, ever."""

    slices: Collection[Slice]
    waiting: int
    wanted: int
    waits: int


class Leaseholder:
    """Refills one process's escrow from an authority, one trip for all callers who wait.

    `patient`: a refusal by this store may be overtaken by what others settle, so each caller waits its half second.
    Otherwise whatever others let go of is in the store at once while it is wanted, and after half a second its word is final.
    """

    def __init__(self, escrow: Escrow, authority: Authority, *, patient: bool) -> None:
        self._escrow, self._authority, self._patient = escrow, authority, patient
        self._waiting: list[Caller] = []
        self._worker: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()
        self.one_at_a_time = asyncio.Lock()
        self._wanted: Collection[Slot] = ()
        self._waits = 0

    def state(self) -> LeaseState:
        """Say how leases stand."""
        return LeaseState(self._escrow.slices.values(), len(self._waiting), len(self._wanted), self._waits)

    async def wait(self, asks: Asks, now: float) -> list[tuple[Slice, int]] | Remaining:
        """Take amounts that the slices in hand did not cover. Raises StoreUnavailable."""
        waiter = Caller(asks, now, asyncio.get_running_loop().time())
        used_up = self._used_up(asks, now, waiter.joined)
        if used_up is not None:
            return used_up
        self._waits += 1
        if self._patient:
            waiter.due = max(waiter.due, *(self._retry_at(quota, need, now) for quota, need in asks))
        self._waiting.append(waiter)
        self._joined.set()
        self.top_up()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await waiter.answer
        except BaseException as error:
            if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.exception() is None:
                waiter.unclaim()  # served in the very moment in which it stopped waiting
            if isinstance(error, TimeoutError):
                raise StoreUnavailable("the store of limits") from error
            raise

    def top_up(self) -> None:
        """Have slices refilled that callers wait for, or that are soon dry."""
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="leases")
        if self._worker is None:
            self._worker = asyncio.create_task(self._refill(), name="leases-refill")

    def is_wanted(self, part: Slice) -> bool:
        """Say whether others waited for this window when the store was last asked."""
        return bool(self._wanted) and part.slot in self._wanted

    async def give_back(self, parts: Iterable[Slice]) -> None:
        """Return what is free of slices, and whatever else the store has not heard of. Raises StoreUnavailable."""
        self._escrow.lower(parts)
        if self._escrow.owed:
            async with self.one_at_a_time:
                owed, self._escrow.owed = self._escrow.owed, {}
                try:
                    await self._authority.give_back(owed)
                except BaseException:  # whoever called may be cancelled: the store hears of it at the next look
                    for slot, amount in owed.items():
                        self._escrow.owed[slot] = self._escrow.owed.get(slot, 0) + amount
                    raise

    def recall(self, quota_ids: set[str]) -> None:
        """Let go of what is free of these quotas; the store hears of it soon."""
        self._escrow.lower([part for part in self._escrow.slices.values() if part.quota.id in quota_ids])

    async def stop(self) -> None:
        """End the tasks."""
        tasks = [task for task in (self._tending, self._worker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _used_up(self, asks: Asks, now: float, at: float) -> Remaining | None:
        """Say what cannot fit, as far as the store said within a second: calls that step down come here each time."""
        for quota, need in asks:
            part = self._escrow.slice_of(quota, now)
            # while a trip is under way, what this process promised holds claims that may be undone
            known = at - part.refused_at < SURE_S if self._patient else self._worker is None
            if known and self._is_hopeless(part, need):
                return part.remaining(now)
        return None

    def _is_hopeless(self, part: Slice, need: int) -> bool:
        """Say whether `need` cannot fit whatever others give back."""
        return need > 0 and need + (part.settled if self._patient else part.reserved) > part.capacity

    def _retry_at(self, quota: QuotaPolicy, need: int, now: float) -> float:
        """Spare the store a question that it answered a moment ago."""
        part = self._escrow.slice_of(quota, now)
        return part.refused_at + RETRY_S if need > part.free and need >= part.refused_need else 0.0

    async def _refill(self) -> None:
        time = asyncio.get_running_loop().time
        try:
            while True:
                self._joined.clear()
                self._waiting = [waiter for waiter in self._waiting if not waiter.answer.done()]
                due = [waiter for waiter in self._waiting if waiter.due <= time()]
                if due or self._escrow.thin:
                    await self._trip(due, time())
                elif self._waiting:
                    await self._nap(min(waiter.due for waiter in self._waiting) - time())
                else:
                    return
        except Exception as error:
            log.exception("limits cannot be refilled")
            self._fail(self._waiting, error)
        finally:
            self._worker = None

    async def _nap(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._joined.wait()
        except TimeoutError:
            return

    async def _trip(self, due: list[Caller], at: float) -> None:
        bids, parts = self._bids(due, at)
        try:
            refused, standings = await self._ask(bids)
        except BaseException as error:
            for waiter in due:
                waiter.unclaim()
            if not isinstance(error, StoreUnavailable):
                raise
            self._fail(due, error)
            return
        for slot, standing in standings.items():
            parts[slot].granted(standing, at)
        unserved = []
        for waiter, bid, tight in zip(due, bids, refused, strict=False):
            if tight is not None:
                waiter.unclaim()
                unserved.append((waiter, parts[tight.quota_id, tight.period]))
                continue
            for ask in bid:
                if ask[:2] not in standings:  # the quota was deleted a moment ago: nothing limits this call there
                    parts[ask.quota_id, ask.period].leased += ask.need
            waiter.serve()
        for waiter, part in unserved:
            self._refuse(waiter, part, at)

    async def _ask(self, bids: list[list[Ask]]) -> tuple[list[Ask | None], dict[Slot, Standing]]:
        if not any(bids):
            return [None] * len(bids), {}
        async with self.one_at_a_time:
            return await self._authority.lease(bids)

    def _bids(self, due: Iterable[Caller], at: float) -> tuple[list[list[Ask]], dict[Slot, Slice]]:
        """Claim what callers need, and return what is short of it: of each caller, then of slices that are soon dry."""
        bids: list[list[Ask]] = []
        parts: dict[Slot, Slice] = {}
        asked: dict[Slot, int] = {}
        for waiter in due:
            waiter.claim(self._escrow, at)
            bid = []
            for part, need in waiter.parts:
                slot = part.slot
                short = -part.free - asked.get(slot, 0)
                if short > 0 and need > 0:
                    spare = 0 if slot in parts else part.spare(need, at)
                    bid.append(Ask(*slot, part.capacity, short, spare))
                    parts[slot], asked[slot] = part, asked.get(slot, 0) + short
            bids.append(bid)
        for slot in self._escrow.thin:
            dry = self._escrow.slices.get(slot)
            if dry is not None and slot not in parts:
                bids.append([Ask(*slot, dry.capacity, 0, dry.spare(0, at))])
                parts[slot] = dry
        self._escrow.thin.clear()
        return bids, parts

    def _refuse(self, waiter: Caller, part: Slice, at: float) -> None:
        """Refuse at once what cannot fit whatever others give back; let the rest try again for a while."""
        waiter.claim(self._escrow, at)
        if all(mine.free >= 0 or need == 0 for mine, need in waiter.parts):
            waiter.serve()  # what another refused caller had claimed suffices
            return
        need = next((need for mine, need in waiter.parts if mine is part), 0)
        waiter.unclaim()
        part.refused(need, at)
        since = waiter.joined if self._patient else min(waiter.joined, part.wanted_since)
        if self._is_hopeless(part, need) or at >= since + WAIT_S or self._authority.is_final():
            waiter.refuse(part)
        waiter.due = at + RETRY_S

    def _fail(self, waiters: Iterable[Caller], error: Exception) -> None:
        for waiter in waiters:
            if not waiter.answer.done():
                waiter.answer.set_exception(error)

    async def _tend(self) -> None:
        """Give back what others want, soon, and what lies idle."""
        time = asyncio.get_running_loop().time
        look_at = time() + LOOK_S
        while True:
            await asyncio.sleep(POLL_S)
            if not self._escrow.slices:
                self._wanted = ()
                continue
            try:
                self._wanted = await self._authority.wanted()
                parts = self._escrow.wanted(self._wanted)
                if time() >= look_at and self._escrow.tidy(time(), IDLE_S):
                    look_at = time() + LOOK_S
                await self.give_back(parts)
            except StoreUnavailable:
                self._wanted = ()
            except Exception:
                log.exception("limits cannot be given back")
