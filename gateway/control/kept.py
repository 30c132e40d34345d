"""The register of what providers keep, on the database: notes that come while one is committed are committed together."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from django.db import DatabaseError

from gateway.control import kept_rows as rows
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.kept.records import POLICIES, Kept, Kind, Pending, Policy
from gateway.kept.store import Remembered
from gateway.snapshot import KeyEntry
from gateway.types import Usage

T = TypeVar("T")

WITHIN_S = 3.0  # a register that hangs is one that is away

Note = Callable[[], None]
Waiting = list[tuple[Note, asyncio.Future[None]]]


class DatabaseKept:
    """See `KeptStore`. Used on the event loop; the database is asked on a thread of its own."""

    def __init__(self, database: DatabaseThread, now: Callable[[], float], policy: str) -> None:
        self.policy: Policy = next(one for one in POLICIES if one == policy)
        self._database, self._now = database, now
        self._remembered = Remembered()
        self._waiting: Waiting = []
        self._writing: asyncio.Task[None] | None = None

    async def find(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """See `KeptStore.find`."""
        now = self._now()
        found = {id_: kept for id_ in ids if (kept := self._remembered.get(id_, now)) is not None}
        missing = [id_ for id_ in ids if id_ not in found and _may_be(id_)]
        if missing:
            for kept in await self._asked(rows.found, missing, now):
                found[kept.id] = kept
                self._remembered.add(kept)
        return found

    async def find_items(self, ids: Collection[str]) -> Mapping[str, Sequence[Kept]]:
        """See `KeptStore.find_items`."""
        return await self._asked(rows.makers, [id_ for id_ in ids if _may_be(id_)], self._now())

    async def names(self, provider_id: str, upstream_ids: Collection[str]) -> Mapping[str, str]:
        """See `KeptStore.names`."""
        return await self._asked(rows.names, provider_id, list(upstream_ids), self._now())

    async def listed(self, kind: Kind, entry: KeyEntry) -> Sequence[Kept]:
        """See `KeptStore.listed`."""
        return await self._asked(rows.listed, kind, entry, self._now())

    async def keep(self, kept: Kept, pending: Pending | None = None) -> None:
        """See `KeptStore.keep`."""
        await self._noted(partial(rows.keep, kept, pending))

    async def ended(self, id_: str, usage: Usage | None, items: Collection[str]) -> None:
        """See `KeptStore.ended`."""
        await self._noted(partial(rows.ended, id_, usage, list(items)))
        self._remembered.drop(id_)

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

    async def sweep(self) -> bool:
        """Delete some of what has expired a while ago; returns whether there is more."""
        return await self._asked(rows.sweep, self._now())

    async def _noted(self, note: Note) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((note, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(WITHIN_S):
                await asyncio.shield(done)
        except (DatabaseError, TimeoutError) as error:
            raise _away() from error

    async def _write(self) -> None:
        """Commit what waits. One note that the database does not take must not hold up all others."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._database.run(rows.together, [note for note, _ in batch])
                _answer(batch, None)
            except Exception as error:
                if len(batch) == 1:
                    _answer(batch, error)
                for note, done in batch if len(batch) > 1 else ():
                    try:
                        await self._database.run(rows.together, [note])
                        _answer([(note, done)], None)
                    except Exception as own:
                        _answer([(note, done)], own)

    async def _asked(self, function: Callable[..., T], *args: object) -> T:
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._database.run(function, *args)
        except (DatabaseError, TimeoutError) as error:
            raise _away() from error


def _may_be(id_: str) -> bool:
    """Say whether anything can be kept under an id. PostgreSQL takes no NUL in texts, and fails instead of finding nothing."""
    return "\0" not in id_


def _away() -> StoreUnavailable:
    return StoreUnavailable("the register of what providers keep")


def _answer(batch: Waiting, error: Exception | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            done.exception()  # whoever waits gets it; nobody may be waiting any more
