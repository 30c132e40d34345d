"""One thread that flushes a file to the disk for everybody who waits: many entries share one flush."""

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Callable

from gateway.journal.frames import JournalError

Waiting = asyncio.Future[None]


class GroupFlush:
    """Call `wait` after each write; the future it returns is done once a flush that began after the write has ended.

    `flush` brings all that was written so far to the disk; `failed` hears when that failed: what was to be flushed may
    or may not be there. Both are called in the thread.
    """

    def __init__(self, flush: Callable[[], None], failed: Callable[[OSError], JournalError]) -> None:
        self._flush = flush
        self._failed = failed
        self._waiting: list[Waiting] = []
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="journal-flush", daemon=True)
        self._thread.start()

    def wait(self) -> Waiting:
        """Return a future that is done once everything written so far is on the disk; it may raise JournalError."""
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(seen)
        with self._changed:
            self._waiting.append(future)
            self._changed.notify()
        return future

    def end(self) -> None:
        """Flush for those who wait, and stop."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ending:
                    self._changed.wait()
                group, self._waiting = self._waiting, []
                if not group:
                    return
            try:
                self._flush()
            except OSError as error:
                failure = self._failed(error)
                with self._changed:  # the next flush may not see what this one could not bring there
                    group += self._waiting
                    self._waiting = []
                _tell(group, failure)
            else:
                _tell(group, None)


def flush(descriptor: int) -> None:
    """Flush to the disk itself, what was put by a map too; macOS needs a stronger call for that."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def resolve(group: list[Waiting], error: JournalError | None) -> None:
    """Wake those who still wait. Called on their event loop."""
    for future in group:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


def _tell(group: list[Waiting], error: JournalError | None) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        group[0].get_loop().call_soon_threadsafe(resolve, group, error)


def seen(future: Waiting) -> None:
    """Nobody has to wait for the end of a call to be on the disk: its failure was said by `failed`."""
    if not future.cancelled():
        future.exception()
