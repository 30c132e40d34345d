"""Escrow: the slices of capacity that one process holds, and hands out from memory. Pure: no I/O, no clock of its own.

A *slice* is this process's part of one window of one quota. The authoritative store never grants when what is counted
and leased would pass the capacity; the process never hands out more than its slice. So nobody passes a limit, and as
long as the slice suffices nobody is asked.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from gateway.journal.records import Hold
from gateway.quotas.baskets import Basket
from gateway.quotas.slices import COMPANY_WIDE, Slice, Slot
from gateway.snapshot import UNSET, Metric, QuotaPolicy

Bounds = Callable[[QuotaPolicy, float], tuple[int, int]]

SLICE_OF_REMAINDER = 16  # the most that is leased beyond need, so that slices shrink with what is left
_LATE_S = 2  # a lapsed slice is kept this long after its window, should the clock go back a little
_AT_ONCE = 500  # slices looked at in one step of the event loop


class Ask(NamedTuple):
    """A process asks the store for `need` of a window, whose capacity it knows."""

    quota_id: str
    period: int
    capacity: int
    need: int
    spare: int = 0  # up to this much more, as long as plenty is left: saves the next trip


class Escrow:
    """All slices of one process. Every method is one step of the event loop: nothing comes between check and take."""

    def __init__(self, bounds: Bounds, *, lapses: bool) -> None:
        """`bounds` gives the window of a quota at a time. `lapses`: what is left of an ended window is simply forgotten."""
        self._bounds = bounds
        self._lapses = lapses
        self._current: dict[str, Slice] = {}  # by quota
        self._stamp = object()  # another one once a slice was dropped, or stands for another version of its quota
        self._ends: list[tuple[int, Slot]] = []
        self._round: Iterator[Slice] | None = None
        self.slices: dict[Slot, Slice] = {}
        self.thin: set[Slot] = set()  # soon dry: to be topped up
        self.owed: dict[Slot, int] = {}  # lowered here, and not yet in the store

    def in_hand(self, basket: Basket, amounts: Mapping[Metric, int], now: float) -> list[tuple[Slice, int]] | None:
        """Return the slice that each amount fits into, or None if one does not suffice. Takes nothing."""
        if basket.stamp is not self._stamp or not basket.since <= now < basket.until:
            self._fill(basket, now)
        parts = list(zip(basket.slices, map(amounts.__getitem__, basket.metrics), strict=True))
        return parts if suffice(parts) else None

    def book(self, parts: Iterable[tuple[Slice, int]]) -> None:
        """Take amounts that are `in_hand`, before anything else happens on the loop."""
        for part, need in parts:
            part.taken += need
            part.reserved = reserved = part.reserved + need
            if part.leased - reserved < part.low:
                part.low = -1
                self.thin.add(part.slot)

    def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> list[tuple[Slice, int]] | None:
        """Take each amount, or nothing at all (None). An amount of 0 always fits."""
        parts = [(self._slice_now(quota, now), need) for quota, need in asks]
        if not suffice(parts):
            return None
        self.book(parts)
        return parts

    def free(self, slot: Slot, amount: int) -> Slice | None:
        """Put back what was taken and not used; a negative amount was used beyond. None: its window is forgotten."""
        part = self.slices.get(slot)
        if part is not None:
            rest = part.reserved - amount
            part.reserved = rest if rest > 0 else 0
        return part

    def release(self, holds: Iterable[Hold], spent: int) -> None:
        """Put back what of each hold was not spent."""
        for hold in holds:
            part = self.slices.get((hold.quota_id, hold.period))
            if part is not None:
                reserved = part.reserved - hold.amount + spent
                part.reserved = reserved if reserved > 0 else 0

    def slice_of(self, quota: QuotaPolicy, now: float) -> Slice:
        """Return the slice of the window that `now` is in, under the capacity of now. A lowered one recalls what is free."""
        start, end = self._bounds(quota, now)
        part = self.slices.get((quota.id, start))
        if part is None:
            part = self.slices[quota.id, start] = Slice(quota, start, end, shown=quota.scope_kind not in COMPANY_WIDE)
            if self._lapses and end < UNSET:
                self.forget(now)
                heapq.heappush(self._ends, (end, part.slot))
        capacity = quota.capacity_at(now)
        if capacity < part.capacity:
            self.lower([part])
        edges = (edge for extra in quota.extras for edge in (extra.starts, extra.until) if edge > now)
        if part.quota is not quota:
            self._stamp = object()
        part.quota, part.capacity, part.until = quota, capacity, min((end, *edges))
        self._current[quota.id] = part
        return part

    def _slice_now(self, quota: QuotaPolicy, now: float) -> Slice:
        part = self._current.get(quota.id)
        if part is None or part.quota is not quota or not part.start <= now < part.until:
            part = self.slice_of(quota, now)
        return part

    def _fill(self, basket: Basket, now: float) -> None:
        basket.slices = [self._slice_now(quota, now) for quota in basket.quotas]
        basket.since = max([float(part.start) for part in basket.slices], default=0.0)
        basket.until = min([part.until for part in basket.slices], default=float(UNSET))
        basket.stamp = self._stamp

    def lower(self, parts: Iterable[Slice], keep: int = 0) -> None:
        """Let go of what is free beyond `keep`: here first, in the store second (`owed`)."""
        for part in parts:
            excess = part.free - keep
            if excess > 0:
                self.owed[part.slot] = self.owed.get(part.slot, 0) + excess
                part.leased -= excess
                part.low = keep // 2 or -1

    def wanted(self, slots: Collection[Slot]) -> list[Slice]:
        """Return the slices of `slots` that have something free."""
        return [part for slot in slots if (part := self.slices.get(slot)) is not None and part.free > 0]

    def tidy(self, at: float, idle_s: float) -> bool:
        """Go on with the round through all slices, and let go of what lies idle; returns whether the round is done.

        That is all that is free of slices that nothing was taken of for `idle_s`, and of the others what calls gave back
        beyond recent use. Slices that hold nothing are forgotten. `at` is monotonic.
        """
        if self._round is None:
            self._round = iter(tuple(self.slices.values()))
        batch = list(islice(self._round, _AT_ONCE))
        for part in batch:
            if self.slices.get(part.slot) is part:
                self._tidy(part, at, idle_s)
        if len(batch) == _AT_ONCE:
            return False
        self._round = None
        return True

    def _tidy(self, part: Slice, at: float, idle_s: float) -> None:
        used = part.taken - part.taken_then
        if used:
            part.taken_then, part.granted_at, part.idle_since = part.taken, at, at
        if at - part.idle_since >= idle_s:
            self.lower([part])
            if part.leased == 0 and part.reserved == 0 and part.slot not in self.owed:
                self._drop(part)
        elif part.free > 2 * max(used, part.lot):
            self.lower([part], keep=max(used, part.lot))

    def forget(self, now: float) -> None:
        """Let slices of ended windows lapse."""
        while self._ends and self._ends[0][0] + _LATE_S <= now:
            part = self.slices.get(heapq.heappop(self._ends)[1])
            if part is not None:
                self.owed.pop(part.slot, None)
                self._drop(part)

    def _drop(self, part: Slice) -> None:
        del self.slices[part.slot]
        self._stamp = object()
        if self._current.get(part.quota.id) is part:
            del self._current[part.quota.id]


def suffice(parts: Iterable[tuple[Slice, int]]) -> bool:
    """Say whether each slice has that much free."""
    for part, need in parts:  # noqa: SIM110 - a loop is twice as fast, and every call comes here
        if part.leased - part.reserved < need and need > 0:
            return False
    return True


@dataclass(slots=True)
class Account:
    """What a store keeps of one window. `out`: counted and leased, over all processes; `wanted`: somebody waits for it."""

    out: int
    wanted: bool = False
    granted: int = 0


def decide(bids: Sequence[Sequence[Ask]], accounts: dict[Slot, Account]) -> list[Ask | None]:
    """Grant bids in order, each all or none, into `accounts`; returns of each bid the ask that did not fit, or None.

    Then the spare is granted: at most a sixteenth of what is left, and none where anybody waits. Asks of windows that
    have no account are not limited.
    """
    refused: list[Ask | None] = []
    for bid in bids:
        known = [(ask, accounts[ask.quota_id, ask.period]) for ask in bid if (ask.quota_id, ask.period) in accounts]
        tight = next((ask for ask, account in known if ask.need > 0 and account.out + ask.need > ask.capacity), None)
        refused.append(tight)
        for ask, account in known:
            if tight is None:
                account.out += ask.need
                account.granted += ask.need
            elif ask is tight:
                account.wanted = True
    for ask in (ask for bid in bids for ask in bid if ask.spare):
        account_ = accounts.get((ask.quota_id, ask.period))
        if account_ is not None and not account_.wanted:
            spare = max(0, min(ask.spare, (ask.capacity - account_.out) // SLICE_OF_REMAINDER))
            account_.out += spare
            account_.granted += spare
    return refused
