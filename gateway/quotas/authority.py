"""The seam between a process's leases and the store that grants them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gateway.quotas.escrow import Ask
from gateway.quotas.slices import Slot, Standing


class Authority(Protocol):
    """The store that grants leases: the database for money, Redis for rates. Its calls never overlap, but for `wanted`."""

    async def lease(self, bids: Sequence[Sequence[Ask]]) -> tuple[list[Ask | None], dict[Slot, Standing]]:
        """Grant bids in order, each all or none, in one step. Returns of each the ask that did not fit, and the standings.

        A window without a standing is not limited. Raises StoreUnavailable.
        """
        ...

    def is_final(self) -> bool:
        """Say whether nothing that others give back can change its last answer."""
        ...

    async def give_back(self, amounts: dict[Slot, int]) -> None:
        """Return parts of leases; the caller lowered its own balance first. Raises StoreUnavailable."""
        ...

    async def wanted(self) -> Collection[Slot]:
        """Name the windows that somebody could not get enough of. Raises StoreUnavailable."""
        ...
