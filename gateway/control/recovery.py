"""What dead gateways left: their journals are drained to the end, and their leases freed."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from billing.ingest import OvertakenError
from gateway.control.drain import Drain, Reader

log = logging.getLogger(__name__)


class DeadJournal(Protocol):
    """A journal whose owner is dead for certain, and which nobody else recovers meanwhile."""

    @property
    def incarnation(self) -> str:
        """Whose it was."""
        ...

    @property
    def reader(self) -> Reader:
        """Reads it."""
        ...

    def remove(self) -> None:
        """Delete it: all of it is in the database."""
        ...

    def put_aside(self) -> None:
        """Keep it for people to look at, where nobody recovers it again: parts of it could not be read."""
        ...

    def release(self) -> None:
        """Leave it for another time. Does nothing after `remove`."""
        ...


def recovering(dead: Callable[[], Sequence[DeadJournal]]) -> Iterator[bool]:
    """Drain every journal that `dead` lists, a batch at each `next`, so that others can work in between."""
    journals = dead()
    try:
        for journal in journals:
            drain = Drain(journal.reader)
            try:
                while drain.step():
                    yield True
                drain.finish()
            except OvertakenError:
                continue
            if drain.alarms:
                journal.put_aside()
            else:
                journal.remove()
            log.info("the journal of the dead gateway %s is recovered", journal.incarnation)
            yield True
    finally:
        for journal in journals:
            journal.release()


def recover(dead: Callable[[], Sequence[DeadJournal]]) -> None:
    """Drain every journal that `dead` lists."""
    for _ in recovering(dead):
        pass
