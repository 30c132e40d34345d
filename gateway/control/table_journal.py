"""The journal of a gateway without a disk: entries are committed to the database in groups, opened ones before the dial."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from billing import escrow, journals
from billing.journals import FencedError
from billing.models import JournalOffset, Lease
from gateway.control.database import DatabaseThread
from gateway.journal import frames
from gateway.journal.flush import Waiting, resolve, seen
from gateway.journal.frames import JournalDamagedError, JournalError, TornError
from gateway.journal.records import Opened, Record

log = logging.getLogger(__name__)

BEAT_S = 1.0
FENCE_AFTER_S = 10.0  # an owner that has not beaten for so long is taken for dead
RETRY_S = 0.5
END_WITHIN_S = 5.0

AWAY = (
    "The database is away, and this gateway has no other place for its journal (JOURNAL=database): calls are refused "
    "until it is back."
)
FENCED = "This gateway was silent for so long that others took over its journal. It takes no calls, and stops."


class TableJournal:
    """Appended entries wait together while a group is committed. Used on the event loop.

    When the database is away what is to be opened is refused; what has ended is kept, and written once it is back.
    `fenced` is called when others took the journal over.
    """

    def __init__(self, incarnation: str, database: DatabaseThread, fenced: Callable[[], None]) -> None:
        self.incarnation = incarnation
        self.refusal = ""
        self.end = 0
        self._database, self._fenced = database, fenced
        self._queue: list[tuple[bytes, bool, Waiting]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._steady_since = float("inf")
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Make the journal. Raises DatabaseError."""
        await self._database.run(journals.begin, self.incarnation)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def warning(self) -> str:
        """What an operator must look at: why calls are refused."""
        return self.refusal

    def append(self, *records: Record) -> Waiting:
        """See `gateway.runtime.Journal`."""
        opens = isinstance(records[0], Opened)
        if self.refusal and (opens or self.refusal == FENCED):
            raise JournalError(self.refusal)
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(seen)
        self._queue.append((frames.encode(records), opens, future))
        self._wake.set()
        return future

    def look(self) -> None:
        """Nothing but the database bounds this journal: `refusal` is kept by the commits."""

    def may_fence(self) -> bool:
        """Whether the database has answered us for so long that others' silence means something."""
        return time.monotonic() - self._steady_since > FENCE_AFTER_S

    async def aclose(self) -> None:
        """Commit what waits, and give the journal up for recovery."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, END_WITHIN_S)
        with contextlib.suppress(DatabaseError, InterfaceError):
            await self._database.run(journals.fence, self.incarnation)

    async def _run(self) -> None:
        while self._queue or not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._commit()
            except FencedError:
                log.error(FENCED)
                self.refusal = FENCED
                self._fail([future for _, _, future in self._queue])
                self._fenced()
                return

    async def _commit(self) -> None:
        group, self._queue = self._queue, []
        try:
            self.end = await self._database.run(
                journals.commit, self.incarnation, b"".join(entry for entry, _, _ in group)
            )
        except FencedError:
            self._queue[:0] = group
            raise
        except Exception as error:
            if not isinstance(error, DatabaseError | InterfaceError):
                log.exception("the journal cannot be committed, by a defect")
            self.refusal, self._steady_since = AWAY, float("inf")
            self._fail([future for _, opens, future in group if opens])
            self._queue[:0] = [one for one in group if not one[1]]
            await asyncio.sleep(RETRY_S)
            self._wake.set()
        else:
            self.refusal = ""
            self._steady_since = min(self._steady_since, time.monotonic())
            resolve([future for _, _, future in group], None)

    def _fail(self, waiting: list[Waiting]) -> None:
        resolve(waiting, JournalError(self.refusal))


class TableReader:
    """Reads a journal from the database. Records of one group come together, with one offset."""

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation

    def read(self, offset: int, limit: int) -> list[tuple[Record, int]]:
        """See `gateway.control.drain.Reader`."""
        found: list[tuple[Record, int]] = []
        for upto, data in journals.read(self.incarnation, offset):
            if len(found) >= limit:
                break
            try:
                found += _records(data, upto)
            except (TornError, ValueError) as error:
                if found:
                    break
                raise JournalDamagedError(self.incarnation, upto - len(data), str(error)) from None
        return found

    def skip_damage(self, offset: int) -> int:
        """See `gateway.control.drain.Reader`: a group that does not check is left out whole."""
        return journals.end_of_group(self.incarnation, offset)

    def discard(self, upto: int) -> None:
        """See `gateway.control.drain.Reader`."""
        journals.discard(self.incarnation, upto)


def _records(data: bytes, upto: int) -> list[tuple[Record, int]]:
    found, position = [], 0
    while position < len(data):
        records, position = frames.decode(data, position)
        found += [(record, upto) for record in records]
    return found


@dataclass(slots=True)
class DeadTable:
    """The journal of a fenced owner. Two who recover it at once do no harm: they move one offset, and events are unique."""

    incarnation: str
    reader: TableReader

    def remove(self) -> None:
        """See `gateway.control.recovery.DeadJournal`."""
        journals.forget(self.incarnation)

    def put_aside(self) -> None:
        """See `gateway.control.recovery.DeadJournal`: the groups stay, without an owner."""
        journals.disown(self.incarnation)

    def release(self) -> None:
        """See `gateway.control.recovery.DeadJournal`."""


def dead_tables(may_fence: bool) -> Sequence[DeadTable]:
    """List the journals of fenced owners, after fencing the silent ones if we may.

    A fenced owner that still runs may take a lease before it notices; it can spend none of it, and it is freed here.
    """
    if may_fence:
        journals.fence_silent(FENCE_AFTER_S)
    finished = JournalOffset.objects.filter(finished=True).values("incarnation")
    for incarnation in set(Lease.objects.filter(incarnation__in=finished).values_list("incarnation", flat=True)):
        escrow.free_all(incarnation)
    return [DeadTable(name, TableReader(name)) for name in journals.fenced()]
