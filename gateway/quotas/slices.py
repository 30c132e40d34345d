"""What one process holds of one window of one quota: a slice."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.journal.records import Hold
from gateway.quotas.interface import Remaining
from gateway.snapshot import QuotaPolicy

Slot = tuple[str, int]  # quota id, start of the window (epoch s)

COMPANY_WIDE = frozenset({"organisation", "model"})  # scopes whose budgets are not one team's or person's

SPARE_CALLS = 20  # a slice is topped up for about this many calls of the same size,
USE_S = 1.0  # or for what was used in this long
WANTED_S = 2.0  # how long a store remembers that somebody was not served
PLACE_S = 1.0  # a place may become free at any time: say "in a second"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a store says of one window, after it granted. `settled` never comes back; `leased` is out with all processes."""

    settled: int
    leased: int
    granted: int


@dataclass(slots=True, eq=False)
class Slice:
    """What this process holds of one window of one quota. `reserved` of `leased` is promised or spent."""

    quota: QuotaPolicy
    start: int
    end: int
    capacity: int = 0
    until: float = 0.0  # from here on (epoch s), window or capacity are another
    shown: bool = True  # what is left of it is its callers' business, and not the whole company's
    leased: int = 0
    reserved: int = 0
    elsewhere: int = 0  # settled, or leased to others, when the store was last asked
    settled: int = 0
    low: int = -1  # with less than this free, it is topped up before it runs dry
    lot: int = 0  # how much was free after the last grant: what recent use is worth
    taken: int = 0  # ever, in and out: how busy this slice is
    taken_then: int = 0
    granted_at: float = 0.0  # monotonic
    idle_since: float = 0.0  # monotonic
    wanted_since: float = 0.0  # monotonic: since when the store has too little,
    refused_at: float = -WANTED_S  # when it said so last,
    refused_need: int = 0  # and how little was asked of it

    @property
    def slot(self) -> Slot:
        return self.quota.id, self.start

    @property
    def free(self) -> int:
        return self.leased - self.reserved

    @property
    def left(self) -> int:
        """What is left of the quota as far as this process knows."""
        left = self.capacity - self.elsewhere - self.reserved
        return left if left > 0 else 0

    def remaining(self, now: float) -> Remaining:
        """Say what is left of the quota, and when there is more."""
        resets_at = now + PLACE_S if self.quota.metric == "concurrent" else float(self.end)
        return Remaining(self.quota, self.capacity, self.left, resets_at, self.start)

    def spare(self, need: int, at: float) -> int:
        """Return how much beyond `need` is worth asking for, by recent use. `at` is monotonic."""
        used = (self.taken - self.taken_then) / max(at - self.granted_at, 0.05) * USE_S
        return max(SPARE_CALLS * need, int(used), self.lot // 2)

    def refused(self, need: int, at: float) -> None:
        """Note that the store had too little."""
        if at - self.refused_at > WANTED_S:
            self.wanted_since = at
        self.refused_at, self.refused_need = at, need

    def granted(self, standing: Standing, at: float) -> None:
        """Take in what the store granted."""
        self.leased += standing.granted
        self.settled = standing.settled
        self.elsewhere = standing.settled + standing.leased - self.leased
        self.lot = max(0, self.free)
        self.low = self.lot // 2 if standing.granted else -1
        self.taken_then, self.granted_at, self.idle_since = self.taken, at, at


Parts = Sequence[tuple[Slice, int]]  # how much is taken of which slice


def holds_of(taken: Parts) -> tuple[Hold, ...]:
    """Return what the journal notes of amounts that were taken."""
    return tuple([Hold(part.quota.id, part.start, amount) for part, amount in taken])


def windows_of(taken: Parts) -> list[tuple[QuotaPolicy, int, int]]:
    """Return amounts that were taken as they are given back: (quota, start of the window, amount)."""
    return [(part.quota, part.start, amount) for part, amount in taken]
