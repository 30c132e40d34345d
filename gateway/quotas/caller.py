"""A caller who stands in line for a slice that suffices."""

import asyncio
from collections.abc import Sequence

from gateway.quotas.escrow import Escrow
from gateway.quotas.interface import Remaining
from gateway.quotas.slices import Slice
from gateway.snapshot import QuotaPolicy


class Caller:
    """A caller whom the slices in hand did not serve."""

    def __init__(self, asks: Sequence[tuple[QuotaPolicy, int]], now: float, at: float) -> None:
        self.asks, self.now, self.joined, self.due = asks, now, at, at
        self.answer: asyncio.Future[list[tuple[Slice, int]] | Remaining] = asyncio.get_running_loop().create_future()
        self.parts: list[tuple[Slice, int]] = []

    def claim(self, escrow: Escrow, at: float) -> None:
        """Reserve everything before the store is asked, so that nobody else takes what is in hand meanwhile."""
        now = self.now + (at - self.joined)
        self.parts = [(escrow.slice_of(quota, now), need) for quota, need in self.asks]
        for part, need in self.parts:
            part.reserved += need

    def unclaim(self) -> None:
        for part, need in self.parts:
            part.reserved -= need
        self.parts = []

    def serve(self) -> None:
        """Hand out what was claimed, or put it back if the caller is gone."""
        if self.answer.done():
            self.unclaim()
            return
        for part, need in self.parts:
            part.taken += need
        self.answer.set_result(self.parts)

    def refuse(self, part: Slice) -> None:
        if not self.answer.done():
            self.answer.set_result(part.remaining(self.now))
