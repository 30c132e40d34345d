"""The loop that empties a gateway's journal into the database, and the journals that dead gateways left beside it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError

from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain
from gateway.control.journals import Journals, OwnJournal
from gateway.control.recovery import recovering
from gateway.journal.frames import JournalError

log = logging.getLogger(__name__)

EVERY_S = 0.5  # usage is in the database within a second, in batches that are worth their transaction
RETRY_S = 1.0
SWEEP_S = 5.0  # how soon a dead neighbour's journal is found


class Draining:
    """`run` is a task. `problem` says in words why usage waits, or is ""; `swept` is set once the dead were looked for.

    `settling` is held while own costs are settled: the ledger is not asked for more money meanwhile.
    """

    def __init__(
        self, journal: OwnJournal, drain: Drain, journals: Journals, database: DatabaseThread, settling: asyncio.Lock
    ) -> None:
        self._journal, self._drain, self._dead = journal, drain, journals.dead
        self._database, self._settling = database, settling
        self._moved_to = -1
        self._recovery: Iterator[bool] | None = None
        self._sweep_at = 0.0
        self.swept = asyncio.Event()
        self.problem = ""

    async def run(self) -> None:
        """Run until cancelled. Nothing is asked of the database while there is nothing to move."""
        while True:
            more = False
            try:
                try:
                    more = await self._own()
                finally:  # whatever keeps ours, the dead are looked after
                    more |= await self._others()
                self._say("")
            except (DatabaseError, InterfaceError) as error:
                self._say("The database is away: usage waits in the journal, and nothing is lost.", error)
            except (JournalError, OSError) as error:
                with contextlib.suppress(OSError):  # it looks into the same folder
                    self._journal.look()
                self._say(self._journal.warning or f"The journal cannot be read, and usage waits in it: {error}")
            except Exception as error:
                self._say("A defect keeps usage in the journal; nothing is lost.", error, defect=True)
            if not more:
                await asyncio.sleep(RETRY_S if self.problem else EVERY_S)

    async def _own(self) -> bool:
        """Move a batch, if there is anything new; returns whether there is more at once."""
        end = self._journal.end
        if end == self._moved_to:
            return False
        async with self._settling:
            more = await self._database.run(self._drain.step) >= self._drain.batch
        self._moved_to = -1 if more else end
        return more

    async def _others(self) -> bool:
        """Look for the dead every few seconds, and move a batch of theirs; returns whether there is more."""
        now = time.monotonic()
        if self._recovery is None and now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._journal.look()
            self._recovery = recovering(self._dead)
        if self._recovery is None:
            return False
        try:
            more = await self._database.run(next, self._recovery, False)
        except BaseException:
            self._recovery = None
            raise
        if not more:
            self._recovery = None
            self.swept.set()
        return more

    def _say(self, problem: str, error: Exception | None = None, *, defect: bool = False) -> None:
        """Log what changed, once: a trouble lasts for many tries."""
        problem = problem or self._journal.warning
        if problem != self.problem:
            if problem:
                words = str(error).strip().splitlines()[:1] if error is not None else []
                log.error("%s", " ".join([problem, *words]), exc_info=error if defect else None)
            else:
                log.info("usage is drained again")
            self.problem = problem
