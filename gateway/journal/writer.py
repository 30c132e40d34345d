"""Appends the usage of one gateway process to its journal, so that nothing is lost when the process is killed."""

import asyncio
import contextlib
import os
import threading
from pathlib import Path

from gateway.journal import frames
from gateway.journal.flush import GroupFlush, flush
from gateway.journal.frames import JournalError
from gateway.journal.records import Opened, Record
from gateway.journal.room import room
from gateway.journal.segments import OwnerLock, check_incarnation, segment_path, segments, sync_directory

SEGMENT_BYTES = 64 << 20
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
        self._segment_bytes = min(segment_bytes, max(max_bytes // 8, 1))
        self._max_bytes = max_bytes
        self._flush: GroupFlush | None = None
        self._suspect = False  # a flush failed: begin a new segment
        self.refusal = ""  # why no call may be opened
        self.warning = ""  # what an operator must look at
        self._mutex = threading.Lock()
        self._descriptor = -1
        self._number = 0
        self._base = 0  # logical offset of the segment's first byte
        self._size = 0  # bytes of the segment that count
        self._torn = False  # bytes beyond `_size` may be there
        self._lock = OwnerLock(self.directory, incarnation)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take()
            if segments(self.directory, incarnation):
                raise FileExistsError
            self._open(0, 0)
            if fsync:
                sync_directory(self.directory)
        except FileExistsError:
            self._lock.release()
            raise JournalError(f"A journal {incarnation} exists already in {self.directory}. Use a new name.") from None
        except OSError as error:
            self._lock.release()
            raise self._failure(error) from error
        if fsync:
            self._flush = GroupFlush(self._duplicate, self._flush_failed)

    @property
    def end(self) -> int:
        """The logical offset after the last entry; 0 while there is none."""
        end = self._base + self._size
        return end if end > frames.HEADER_BYTES else 0

    def append(self, *records: Record) -> asyncio.Future[None] | None:
        """Write `records` as one entry by one write: all of them are read back, or none.

        Raises JournalError when that fails; the journal is then as it was before, and the next append tries anew.
        """
        if not records:
            return None
        entry = frames.encode(records)
        with self._mutex:
            if self._descriptor < 0:
                raise JournalError(f"The journal {self.incarnation} is closed.")
            if self.refusal and isinstance(records[0], Opened):
                self.look()
                if self.refusal:
                    raise JournalError(self.refusal)
            try:
                if self._torn:
                    self._mend()
                begun = self._size > frames.HEADER_BYTES
                if self._suspect or (begun and self._size + len(entry) > self._segment_bytes):
                    self._open(self._number + 1, self.end)
                    self.look()
                self._write(entry)
            except OSError as error:
                raise self._failure(error) from error
        return None if self._flush is None else self._flush.wait()

    def look(self) -> None:
        """See whether there is room: sets `warning`, and whether calls may be opened. Ends of calls are always taken."""
        self.refusal, self.warning = room(self.directory, self.incarnation, self._number, self._max_bytes)

    def close(self) -> None:
        """Stop writing and let the lock go. What was written stays, to be drained by whoever takes it over."""
        if self._flush is not None:
            self._flush.end()
            self._flush = None
        with self._mutex:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            self._lock.release()

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                self._torn = True
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self._torn = True
            with contextlib.suppress(OSError):  # if it cannot be cut now, the next append does it first
                self._mend()
            raise
        self._size += len(data)
        self._torn = False

    def _mend(self) -> None:
        """Cut off what a failed write left."""
        os.ftruncate(self._descriptor, self._size)
        self._torn = False

    def _open(self, number: int, base: int) -> None:
        """Begin segment `number`; the old one stays in use when this fails."""
        path = segment_path(self.directory, self.incarnation, number)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        old = self._descriptor, self._number, self._base, self._size
        self._descriptor, self._number, self._base, self._size = descriptor, number, base, 0
        try:
            self._write(frames.header(base))
            if self._flush is not None:
                sync_directory(self.directory)
                flush(old[0])  # whoever waits for an entry there is woken by a flush of the new one
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            self._descriptor, self._number, self._base, self._size = old
            self._torn = False
            raise
        self._suspect = False
        if old[0] >= 0:
            os.close(old[0])

    def _duplicate(self) -> int:
        with self._mutex:
            return os.dup(self._descriptor)

    def _flush_failed(self, error: OSError) -> JournalError:
        with self._mutex:
            self._suspect = True
        return self._failure(error)

    def _failure(self, error: OSError) -> JournalError:
        reason = error.strerror or str(error)
        return JournalError(
            f"The journal in {self.directory} cannot be written ({reason}). Calls are refused until it can be: "
            "free disk space or mend the folder's permissions."
        )
