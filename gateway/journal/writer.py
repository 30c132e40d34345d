"""Appends the usage of one gateway process to its journal, so that nothing is lost when the process is killed."""

import contextlib
import fcntl
import os
import threading
from pathlib import Path

from gateway.journal import frames
from gateway.journal.frames import JournalError
from gateway.journal.records import Record
from gateway.journal.segments import OwnerLock, check_incarnation, segment_path, segments, sync_directory

SEGMENT_BYTES = 64 << 20
MAX_BYTES = 4 << 30  # not yet drained; at about 500 bytes a call, eight million calls


class JournalWriter:
    """The journal of one process incarnation. `append` may be called from any thread.

    Without `fsync` an appended entry survives the death of the process; with it, a power loss too, at the price of
    one disk flush an append.
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
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
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
        except FileExistsError:
            self._lock.release()
            raise JournalError(f"A journal {incarnation} exists already in {self.directory}. Use a new name.") from None
        except OSError as error:
            self._lock.release()
            raise self._failure(error) from error

    @property
    def end(self) -> int:
        """The logical offset after the last entry."""
        return self._base + self._size

    def append(self, *records: Record) -> None:
        """Write `records` as one entry by one write: all of them are read back, or none.

        Raises JournalError when that fails; the journal is then as it was before, and the next append tries anew.
        """
        if not records:
            return
        entry = frames.encode(records)
        with self._mutex:
            if self._descriptor < 0:
                raise JournalError(f"The journal {self.incarnation} is closed.")
            try:
                self._mend()
                if self._size > frames.HEADER_BYTES and self._size + len(entry) > self._segment_bytes:
                    self._rotate()
                self._write(entry)
            except OSError as error:
                raise self._failure(error) from error

    def close(self) -> None:
        """Stop writing and let the lock go. What was written stays, to be drained by whoever takes it over."""
        with self._mutex:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            self._lock.release()

    def _write(self, data: bytes) -> None:
        self._torn = True
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if self._fsync:
                _flush(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # if it cannot be cut now, the next append does it first
                self._mend()
            raise
        self._size += len(data)
        self._torn = False

    def _mend(self) -> None:
        """Cut off what a failed write left."""
        if self._torn:
            os.ftruncate(self._descriptor, self._size)
            self._torn = False

    def _rotate(self) -> None:
        held = sum(segment.path.stat().st_size for segment in segments(self.directory, self.incarnation))
        if held > self._max_bytes:
            raise JournalError(
                f"The journal in {self.directory} holds {held} bytes that are not in the database yet, more than the "
                f"{self._max_bytes} allowed. Check that the database can be reached; calls resume once it is drained."
            )
        self._open(self._number + 1, self.end)

    def _open(self, number: int, base: int) -> None:
        """Begin segment `number`; the old one stays in use when this fails."""
        path = segment_path(self.directory, self.incarnation, number)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        old = self._descriptor, self._number, self._base, self._size
        self._descriptor, self._number, self._base, self._size = descriptor, number, base, 0
        try:
            self._write(frames.header(base))
            if self._fsync:
                sync_directory(self.directory)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            self._descriptor, self._number, self._base, self._size = old
            self._torn = False
            raise
        if old[0] >= 0:
            os.close(old[0])

    def _failure(self, error: OSError) -> JournalError:
        reason = error.strerror or str(error)
        return JournalError(
            f"The journal in {self.directory} cannot be written ({reason}). Calls are refused until it can be: "
            "free disk space or mend the folder's permissions."
        )


def _flush(descriptor: int) -> None:
    """Flush to the disk itself; macOS needs a stronger call for that."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)
