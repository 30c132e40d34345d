"""Where it is noted what providers keep, and whose it is: one Protocol; the control plane has the table."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from gateway.errors import StoreUnavailable
from gateway.kept.records import Kept, Kind, Pending, Policy
from gateway.snapshot import KeyEntry
from gateway.types import Usage

REMEMBERED = 2_000  # objects


class KeptStore(Protocol):
    """The register. It fails closed: whoever cannot be asked raises `gateway.errors.StoreUnavailable`."""

    policy: Policy  # of the company; a provider's option `keeps` may be stricter

    async def find(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """Return what is kept under these ids of ours. Deleted and expired objects are not."""
        ...

    async def find_items(self, ids: Collection[str]) -> Mapping[str, Sequence[Kept]]:
        """Return the responses that these items, by the provider's ids, were made in: none, or several of one id."""
        ...

    async def names(self, provider_id: str, upstream_ids: Collection[str]) -> Mapping[str, str]:
        """Return our ids of what a provider keeps, by its own."""
        ...

    async def listed(self, kind: Kind, entry: KeyEntry) -> Sequence[Kept]:
        """Return what a key may touch, the newest first; at most 10,000."""
        ...

    async def keep(self, kept: Kept, pending: Pending | None = None) -> None:
        """Note an object, durably once this returns."""
        ...

    async def ended(self, id_: str, usage: Usage | None, items: Collection[str]) -> None:
        """Note what a response used, and which items it made."""
        ...

    async def settle(self, id_: str, usage: Usage | None, cost_nano_usd: int) -> bool:
        """Charge what a pending response really used in place of its bound, exactly once; None: the bound stays.

        Returns False while the attempt is not in the ledger yet: then it is to be tried again.
        """
        ...

    async def pending(self, id_: str) -> Pending | None:
        """Return what is to be settled of an object, None once it is."""
        ...

    async def forget(self, id_: str) -> None:
        """Note that an object was deleted."""
        ...


class Nowhere:
    """A register that keeps nothing, so that nothing is kept at providers either."""

    policy: Policy = "never"

    async def find(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """See `KeptStore.find`."""
        return {}

    async def find_items(self, ids: Collection[str]) -> Mapping[str, Sequence[Kept]]:
        """See `KeptStore.find_items`."""
        return {}

    async def names(self, provider_id: str, upstream_ids: Collection[str]) -> Mapping[str, str]:
        """See `KeptStore.names`."""
        return {}

    async def listed(self, kind: Kind, entry: KeyEntry) -> Sequence[Kept]:
        """See `KeptStore.listed`."""
        return ()

    async def keep(self, kept: Kept, pending: Pending | None = None) -> None:
        """See `KeptStore.keep`."""
        raise StoreUnavailable("the register of what providers keep")

    async def ended(self, id_: str, usage: Usage | None, items: Collection[str]) -> None:
        """See `KeptStore.ended`."""

    async def settle(self, id_: str, usage: Usage | None, cost_nano_usd: int) -> bool:
        """See `KeptStore.settle`."""
        return True

    async def pending(self, id_: str) -> Pending | None:
        """See `KeptStore.pending`."""
        return None

    async def forget(self, id_: str) -> None:
        """See `KeptStore.forget`."""


class Remembered:
    """The objects that were found last. Only what does not change any more is remembered: whose it is, where, what it used.

    An object that another process deleted is remembered a while; its provider does not have it any more, and says so.
    """

    __slots__ = ("_found", "_most")

    def __init__(self, most: int = REMEMBERED) -> None:
        self._found: OrderedDict[str, Kept] = OrderedDict()
        self._most = most

    def get(self, id_: str, now: float) -> Kept | None:
        """Return an object that has not expired, or None."""
        kept = self._found.get(id_)
        if kept is None or kept.expires_at <= now:
            return None
        self._found.move_to_end(id_)
        return kept

    def add(self, kept: Kept) -> None:
        """Remember an object, if it is complete."""
        if kept.pending or (kept.kind == "response" and kept.input_tokens < 0):
            return
        self._found[kept.id] = kept
        if len(self._found) > self._most:
            self._found.popitem(last=False)

    def drop(self, id_: str) -> None:
        """Forget an object."""
        self._found.pop(id_, None)


def with_use(kept: Kept, usage: Usage | None) -> Kept:
    """Return a response with what it used."""
    return kept if usage is None else replace(kept, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
