"""One file of a journal, allocated whole and mapped into memory: an entry is appended without a system call."""

import contextlib
import mmap
import os
import sys
from pathlib import Path

from gateway.journal.frames import LENGTH_BYTES


class MappedFile:
    """`size` bytes of disk and of address space. What is put outlives the process, as what is written does.

    The disk is allocated here and never later: a full one is an error of this call, and no SIGBUS in the middle of a put,
    unless the file system copies on write (see docs/operations.md).
    """

    def __init__(self, path: Path, head: bytes, size: int) -> None:
        """Make the file; it begins with `head`. Raises OSError, and has left nothing then."""
        self.size = size
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(self._descriptor, head)
            _allocate(self._descriptor, len(head), size - len(head))
            self._map = mmap.mmap(self._descriptor, size)
        except OSError:
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def put(self, position: int, frame: bytes) -> None:
        """Copy a frame to `position`, its length last: a process that is killed meanwhile leaves a frame of no length."""
        body = position + LENGTH_BYTES
        self._map[body : position + len(frame)] = frame[LENGTH_BYTES:]
        self._map[position:body] = frame[:LENGTH_BYTES]

    def duplicate(self) -> int:
        """Return a descriptor, to flush by what was put so far."""
        if sys.platform == "darwin":  # fsync sees what was put by itself on Linux alone
            self._map.flush()
        return os.dup(self._descriptor)

    def end(self, used: int) -> int:
        """Give the disk beyond `used` bytes back; returns the descriptor, to be flushed and closed."""
        self._map.close()
        with contextlib.suppress(OSError):  # readers know by the next file where this one ends
            os.ftruncate(self._descriptor, used)
        return self._descriptor


def _allocate(descriptor: int, offset: int, length: int) -> None:
    if sys.platform == "darwin":
        os.pwrite(descriptor, bytes(length), offset)
    else:
        os.posix_fallocate(descriptor, offset, length)
