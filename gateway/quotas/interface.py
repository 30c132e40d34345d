"""The seam between the pipeline and where quotas are kept: reserve, then settle."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.journal.records import Hold
from gateway.snapshot import Metric, QuotaPolicy

if TYPE_CHECKING:
    from gateway.quotas.baskets import Basket
    from gateway.quotas.slices import Parts, Slice


class Demand(msgspec.Struct, frozen=True):
    """The most that one call may use."""

    requests: int
    input_tokens: int
    output_tokens: int
    nano_usd: int


class Reservation(msgspec.Struct):
    """What was taken, and of which slices. `holds` says the same of the money, for the journal."""

    holds: tuple[Hold, ...] = ()
    rates: "Parts" = ()
    money: "Parts" = ()


class Remaining(msgspec.Struct):
    """What is left of one quota, and when (epoch s) its window ends and began."""

    quota: QuotaPolicy
    limit: int
    left: int
    resets_at: float
    starts_at: int = 0


class MoneyStore(Protocol):
    """The authoritative store of money. Raises `gateway.errors.StoreUnavailable` when it cannot be asked (money fails closed)."""

    def in_hand(self, basket: "Basket", amounts: Mapping[Metric, int]) -> "Parts | None":
        """Return where what is asked of each metric (nano-USD) can be taken at once; None: `take` has to be awaited. Takes nothing."""
        ...

    def book(self, parts: "Parts") -> None:
        """Take what is `in_hand`, in the same step of the event loop."""
        ...

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]]) -> "Granted | Remaining":
        """Take each amount (nano-USD), all or none. Returns `Remaining` of the quota that did not allow it."""
        ...

    def release(self, holds: Sequence[Hold], spent_nano_usd: int) -> None:
        """Say that an attempt ended and cost `spent_nano_usd`: the rest of each hold may be used by others at once.

        The drain is the one writer of "spent": it moves the cost from leased to settled when it inserts the event.
        """
        ...

    async def peek(self, quotas: Sequence[QuotaPolicy]) -> list[Remaining]:
        """Say what is left of each, without taking anything."""
        ...


class Granted(msgspec.Struct, frozen=True):
    """All asked amounts were taken."""

    holds: tuple[Hold, ...]
    taken: "Parts"


class RateStore(Protocol):
    """Counters of fixed windows and gauges of concurrency: exact while the store keeps its memory.

    Neither taking nor giving back suspends while the slices in hand suffice.
    """

    def in_hand(self, basket: "Basket", amounts: Mapping[Metric, int], now: float) -> "Parts | None":
        """Return where what is asked of each metric can be taken at once; None: `take` has to be awaited. Takes nothing."""
        ...

    def book(self, parts: "Parts") -> None:
        """Take what is `in_hand`, in the same step of the event loop."""
        ...

    async def take(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float) -> "list[tuple[Slice, int]] | Remaining":
        """Take each amount, all or none; each quota is named once. An amount of 0 is always granted.

        Returns the slice that each was taken of, in order, with the amount; `Remaining` names the quota that did not allow it.
        """
        ...

    async def give_back(self, asks: Sequence[tuple[QuotaPolicy, int, int]], now: float) -> None:
        """Return amounts to the windows (`Remaining.starts_at`) they were taken from; a negative amount was used beyond."""
        ...

    def recall(self, quota_ids: set[str]) -> None:
        """Let go of what is free of quotas that were edited, so that a lowered limit holds at once."""
        ...

    async def peek(self, quotas: Sequence[QuotaPolicy], now: float) -> list[Remaining]:
        """Say what is left of each."""
        ...

    async def aclose(self) -> None:
        """Let connections and held slots go, at the end of the process."""
        ...
