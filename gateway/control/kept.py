"""The register of what providers keep, on the database: notes that come while one is committed are committed together."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from django.db import DatabaseError

from gateway.control import kept_rows as rows
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.kept.records import POLICIES, Kept, Kind, Pending, Policy
from gateway.kept.store import Remembered, with_use
from gateway.snapshot import KeyEntry
from gateway.types import Usage

T = TypeVar("T")

WITHIN_S = 3.0  # a register that hangs is one that is away

Note = tuple[Kept, Pending | None]


class DatabaseKept:
    """See `KeptStore`. Used on the event loop; the database is asked on a thread of its own."""

    def __init__(self, database: DatabaseThread, now: Callable[[], float], policy: str) -> None:
        self.policy: Policy = next(one for one in POLICIES if one == policy)
        self._database, self._now = database, now
        self._remembered = Remembered()
        self._waiting: list[tuple[Note, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def find(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """See `KeptStore.find`."""
        now = self._now()
        found = {id_: kept for id_ in ids if (kept := self._remembered.get(id_, now)) is not None}
        missing = [id_ for id_ in ids if id_ not in found]
        if missing:
            for kept in await self._asked(rows.found, missing, now):
                found[kept.id] = kept
                self._remembered.add(kept)
        return found

    async def find_items(self, ids: Collection[str]) -> Mapping[str, Sequence[Kept]]:
        """See `KeptStore.find_items`."""
        return await self._asked(rows.makers, list(ids), self._now())

    async def names(self, provider_id: str, upstream_ids: Collection[str]) -> Mapping[str, str]:
        """See `KeptStore.names`."""
        return await self._asked(rows.names, provider_id, list(upstream_ids), self._now())

    async def listed(self, kind: Kind, entry: KeyEntry) -> Sequence[Kept]:
        """See `KeptStore.listed`."""
        return await self._asked(rows.listed, kind, entry, self._now())

    async def keep(self, kept: Kept, pending: Pending | None = None) -> None:
        """See `KeptStore.keep`."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(((kept, pending), done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(WITHIN_S):
                await asyncio.shield(done)
        except (DatabaseError, TimeoutError) as error:
            raise _away() from error

    async def ended(self, id_: str, usage: Usage | None, items: Collection[str]) -> None:
        """See `KeptStore.ended`."""
        await self._asked(rows.ended, id_, usage, list(items))
        kept = self._remembered.get(id_, self._now())
        if kept is not None:
            self._remembered.add(with_use(kept, usage))

    async def settle(self, id_: str, usage: Usage | None, cost_nano_usd: int) -> bool:
        """See `KeptStore.settle`."""
        return await self._asked(rows.settle, id_, usage, cost_nano_usd)

    async def pending(self, id_: str) -> Pending | None:
        """See `KeptStore.pending`."""
        return await self._asked(rows.pending_of, id_)

    async def forget(self, id_: str) -> None:
        """See `KeptStore.forget`."""
        self._remembered.drop(id_)
        await self._asked(rows.forget, id_, self._now())

    async def due(self, limit: int) -> Sequence[Kept]:
        """Return pending responses that are to be asked about now, and that no other process asks about meanwhile."""
        return await self._asked(rows.due, self._now(), limit)

    async def sweep(self) -> None:
        """Delete what has expired a while ago."""
        await self._asked(rows.sweep, self._now())

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._database.run(rows.keep, [note for note, _ in batch])
            except Exception as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                        done.exception()  # whoever waits gets it; nobody may be waiting any more
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    async def _asked(self, function: Callable[..., T], *args: object) -> T:
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._database.run(function, *args)
        except (DatabaseError, TimeoutError) as error:
            raise _away() from error


def _away() -> StoreUnavailable:
    return StoreUnavailable("the register of what providers keep")
