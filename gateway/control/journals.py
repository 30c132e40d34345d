"""Where gateways keep their journals: in files on a disk that outlives them, or in the database."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from gateway.control.database import DatabaseThread
from gateway.control.drain import Reader
from gateway.control.recovery import DeadJournal
from gateway.control.table_journal import TableJournal, TableReader, dead_tables
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Record
from gateway.journal.writer import JournalWriter


class OwnJournal(Protocol):
    """The journal that this process writes."""

    @property
    def warning(self) -> str:
        """What an operator must look at; "" when all is well."""
        ...

    @property
    def refusal(self) -> str:
        """Why no call may be opened; "" when calls may."""
        ...

    @property
    def end(self) -> int:
        """The offset after its last entry."""
        ...

    def append(self, *records: Record) -> asyncio.Future[None] | None:
        """See `gateway.runtime.Journal`."""
        ...

    def look(self) -> None:
        """See whether it may grow: sets `warning`."""
        ...


class Journals(Protocol):
    """A place for journals, as one process of an incarnation sees it."""

    async def begin(self) -> OwnJournal:
        """Make the own journal. Raises JournalError, DatabaseError."""
        ...

    def reader(self) -> Reader:
        """Return a reader of the own journal."""
        ...

    def dead(self) -> Sequence[DeadJournal]:
        """List what is to be recovered; called on a database thread."""
        ...

    async def end(self) -> None:
        """Write no more, and give the own journal up for recovery."""
        ...


class FileJournals:
    """Files in a folder."""

    def __init__(self, folder: Path, incarnation: str, *, fsync: bool, max_bytes: int) -> None:
        self._folder, self._incarnation = folder, incarnation
        self._fsync, self._max_bytes = fsync, max_bytes

    async def begin(self) -> JournalWriter:
        """See `Journals`."""
        self._own = JournalWriter(self._folder, self._incarnation, self._fsync, max_bytes=self._max_bytes)
        return self._own

    def reader(self) -> JournalReader:
        """See `Journals`."""
        return JournalReader(self._folder, self._incarnation, lambda: self._own.end)

    def dead(self) -> Sequence[DeadJournal]:
        """See `Journals`."""
        return recoverable(self._folder)

    async def end(self) -> None:
        """See `Journals`."""
        self._own.close()


class TableJournals:
    """Groups of entries in the database."""

    def __init__(self, incarnation: str, fenced: Callable[[], None]) -> None:
        self._database = DatabaseThread("gateway-journal")
        self._own = TableJournal(incarnation, self._database, fenced)

    async def begin(self) -> TableJournal:
        """See `Journals`."""
        await self._own.begin()
        return self._own

    def reader(self) -> TableReader:
        """See `Journals`."""
        return TableReader(self._own.incarnation)

    def dead(self) -> Sequence[DeadJournal]:
        """See `Journals`."""
        return dead_tables(self._own.may_fence())

    async def end(self) -> None:
        """See `Journals`."""
        await self._own.aclose()
        self._database.shutdown(wait=False)
