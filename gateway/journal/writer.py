"""Appends the usage of one gateway process to its journal, so that nothing is lost when the process is killed."""

import asyncio
import os
import threading
from pathlib import Path

from gateway.journal import frames
from gateway.journal.flush import GroupFlush, flush
from gateway.journal.frames import JournalError
from gateway.journal.mapped import MappedFile
from gateway.journal.records import Opened, Record
from gateway.journal.room import room
from gateway.journal.segments import OwnerLock, check_incarnation, segment_path, segments, sync_directory

SEGMENT_BYTES = 4 << 20  # allocated at a time
MAX_BYTES = 4 << 30  # not yet drained; at about 500 bytes a call, eight million calls


class JournalWriter:
    """The journal of one process incarnation. `append` may be called from any thread.

    An appended entry survives the death of the process. With `fsync` it survives a power loss too, once the future
    that `append` returns is done; it must then be called on an event loop.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        incarnation: str,
        fsync: bool = False,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Create the journal. Raises JournalError when it exists already or the directory cannot be written."""
        check_incarnation(incarnation)
        self.directory = Path(directory)
        self.incarnation = incarnation
        self.refusal = ""  # why no call may be opened
        self.warning = ""  # what an operator must look at
        self.end = 0  # the logical offset after the last entry; 0 while there is none
        self._segment_bytes = min(segment_bytes, max(max_bytes // 8, 1))
        self._max_bytes = max_bytes
        self._flush: GroupFlush | None = None
        self._suspect = False  # a flush failed: begin a new segment
        self._ended: list[int] = []  # descriptors of earlier segments that are still to be flushed
        self._named = False  # the folder was flushed since this segment began
        self._mutex = threading.Lock()
        self._file: MappedFile | None = None
        self._number = 0
        self._base = 0  # logical offset of the segment's first byte
        self._used = 0  # bytes of the segment
        self._lock = OwnerLock(self.directory, incarnation)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take()
            if segments(self.directory, incarnation):
                raise FileExistsError
            self._begin(0, 0)
        except FileExistsError:
            self._lock.release()
            raise JournalError(f"A journal {incarnation} exists already in {self.directory}. Use a new name.") from None
        except OSError as error:
            self._lock.release()
            raise self._failure(error) from error
        if fsync:
            self._flush = GroupFlush(self._to_disk, self._flush_failed)

    def append(self, *records: Record) -> asyncio.Future[None] | None:
        """Add `records` as one entry: all of them are read back, or none.

        Raises JournalError when that fails; the journal is then as it was before, and the next append tries anew.
        """
        if not records:
            return None
        entry = frames.encode(records)
        with self._mutex:
            if self._file is None:
                raise JournalError(f"The journal {self.incarnation} is closed.")
            if self.refusal and isinstance(records[0], Opened):
                self.look()
                if self.refusal:
                    raise JournalError(self.refusal)
            if self._suspect or self._used + len(entry) > self._file.size:
                self._go_on(self._file, len(entry))
            self._file.put(self._used, entry)
            self._used += len(entry)
            self.end = self._base + self._used
        return None if self._flush is None else self._flush.wait()

    def look(self) -> None:
        """See whether there is room: sets `warning`, and whether calls may be opened. Ends of calls are always taken."""
        written = segment_path(self.directory, self.incarnation, self._number)
        self.refusal, self.warning = room(self.incarnation, written, self._used, self._max_bytes)

    def close(self) -> None:
        """Stop writing and let the lock go. What was written stays, to be drained by whoever takes it over."""
        if self._flush is not None:
            self._flush.end()
            self._flush = None
        with self._mutex:
            if self._file is not None:
                self._ended.append(self._file.end(self._used))
                self._file = None
            while self._ended:
                os.close(self._ended.pop())
            self._lock.release()

    def _begin(self, number: int, needed: int) -> None:
        """Begin segment `number`, with room for an entry of `needed` bytes; the old one stays in use when this fails."""
        base = self._base + self._used
        head = frames.header(base)
        path = segment_path(self.directory, self.incarnation, number)
        self._file = MappedFile(path, head, max(self._segment_bytes, len(head) + needed))
        self._number, self._base, self._used = number, base, len(head)
        self._suspect = self._named = False

    def _go_on(self, old: MappedFile, needed: int) -> None:
        used = self._used
        try:
            self._begin(self._number + 1, needed)
        except OSError as error:
            raise self._failure(error) from error
        descriptor = old.end(used)
        if self._flush is None:
            os.close(descriptor)
        else:
            self._ended.append(descriptor)
        self.look()

    def _to_disk(self) -> None:
        """Flush all that was put so far; in the thread that flushes. Raises OSError."""
        with self._mutex:
            current = [self._file.duplicate()] if self._file is not None else []
            descriptors, self._ended = self._ended + current, []
            named, self._named = self._named, True
        try:
            for descriptor in descriptors:
                flush(descriptor)
            if not named:
                sync_directory(self.directory)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _flush_failed(self, error: OSError) -> JournalError:
        with self._mutex:
            self._suspect = True
        return self._failure(error)

    def _failure(self, error: OSError) -> JournalError:
        reason = error.strerror or str(error)
        return JournalError(
            f"The journal in {self.directory} cannot be written ({reason}). Calls are refused until it can be: free disk "
            "space, mend the folder's permissions, or name a folder on a local disk in JOURNAL_DIR; without one set "
            "JOURNAL=database."
        )
