"""A register of what providers keep, in memory."""

import time
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from gateway.errors import StoreUnavailable
from gateway.kept.records import Kept, Kind, Pending, Policy, may_touch
from gateway.kept.store import with_use
from gateway.snapshot import KeyEntry
from gateway.types import Usage


class MemoryKept:
    """A `KeptStore` over dictionaries. `away` makes it fail; `settled` holds (id, usage, cost) of what was settled."""

    def __init__(self, policy: Policy = "usual") -> None:
        self.policy = policy
        self.away = False
        self.objects: dict[str, Kept] = {}
        self.items: dict[str, set[str]] = {}
        self.waiting: dict[str, Pending] = {}
        self.settled: list[tuple[str, Usage | None, int]] = []
        self.writes = 0

    async def find(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """See `KeptStore.find`."""
        self._check()
        return {id_: self.objects[id_] for id_ in ids if id_ in self.objects}

    async def find_items(self, ids: Collection[str]) -> Mapping[str, Sequence[Kept]]:
        """See `KeptStore.find_items`."""
        self._check()
        return {id_: [self.objects[one] for one in self.items.get(id_, ()) if one in self.objects] for id_ in ids}

    async def names(self, provider_id: str, upstream_ids: Collection[str]) -> Mapping[str, str]:
        """See `KeptStore.names`."""
        known = [one for one in self.objects.values() if one.provider_id == provider_id]
        return {one.upstream_id: one.id for one in known if one.upstream_id in upstream_ids}

    async def listed(self, kind: Kind, entry: KeyEntry) -> Sequence[Kept]:
        """See `KeptStore.listed`."""
        return [one for one in reversed(self.objects.values()) if one.kind == kind and may_touch(one.owner, entry)]

    async def keep(self, kept: Kept, pending: Pending | None = None) -> None:
        """See `KeptStore.keep`."""
        self._check()
        self.writes += 1
        self.objects[kept.id] = kept
        for item in kept.items:
            self.items.setdefault(item, set()).add(kept.id)
        if pending is not None:
            self.waiting[kept.id] = pending

    async def ended(self, id_: str, usage: Usage | None, items: Collection[str]) -> None:
        """See `KeptStore.ended`."""
        self._check()
        self.objects[id_] = replace(with_use(self.objects[id_], usage), pending=id_ in self.waiting)
        for item in items:
            self.items.setdefault(item, set()).add(id_)

    async def settle(self, id_: str, usage: Usage | None, cost_nano_usd: int) -> bool:
        """See `KeptStore.settle`."""
        if self.waiting.pop(id_, None) is not None:
            self.settled.append((id_, usage, cost_nano_usd))
        return True

    async def pending(self, id_: str) -> Pending | None:
        """See `KeptStore.pending`."""
        return self.waiting.get(id_)

    async def forget(self, id_: str) -> None:
        """See `KeptStore.forget`."""
        self.objects.pop(id_, None)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("the register of what providers keep")


def kept(id_: str, owner_of: KeyEntry, **changes: object) -> Kept:
    """Return a response that this key made, kept at `prov_1`."""
    from gateway.kept.records import owner_of as owner

    made = Kept(
        id_, "response", "prov_1", "dep_1", "mod_native", f"{id_}_upstream", owner(owner_of), time.time(),
        input_tokens=10, output_tokens=5,
    )  # fmt: skip
    return replace(made, **changes)
