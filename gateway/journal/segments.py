"""The files of a journal: `<incarnation>.journal`, `<incarnation>.1.journal`, … and the lock beside them."""

import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.journal.frames import JournalError

_SEGMENT = re.compile(r"\A([A-Za-z0-9_-]{1,100})(?:\.([1-9][0-9]{0,8}))?\.journal\Z")
_LOCK = re.compile(r"\A([A-Za-z0-9_-]{1,100})\.lock\Z")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a journal; `number` counts from 0."""

    number: int
    path: Path


def segment_path(directory: Path, incarnation: str, number: int) -> Path:
    """Name the file of segment `number`."""
    return directory / (f"{incarnation}.{number}.journal" if number else f"{incarnation}.journal")


def segments(directory: Path, incarnation: str) -> list[Segment]:
    """List the segments of one journal in order."""
    found = []
    for name in os.listdir(directory):
        match = _SEGMENT.match(name)
        if match and match[1] == incarnation:
            found.append(Segment(int(match[2] or 0), directory / name))
    return sorted(found)


def incarnations(directory: Path) -> list[str]:
    """List the incarnations that left a segment or a lock in `directory`; none when it does not exist."""
    if not directory.is_dir():
        return []
    matches = (_SEGMENT.match(name) or _LOCK.match(name) for name in os.listdir(directory))
    return sorted({match[1] for match in matches if match})


def check_incarnation(incarnation: str) -> None:
    """Raise ValueError for a name that cannot be a file's."""
    if not _LOCK.match(f"{incarnation}.lock"):
        raise ValueError(f"{incarnation[:40]!r} cannot name a journal: letters, digits, _ and -, at most 100")


def sync_directory(directory: Path) -> None:
    """Make names created or removed in `directory` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class OwnerLock:
    """The exclusive lock that the owner of a journal holds for its life; the kernel drops it when the process dies.

    It belongs to the open file (flock), so a second holder in the same process is refused too. Never on NFS.
    """

    def __init__(self, directory: Path, incarnation: str) -> None:
        self.path = directory / f"{incarnation}.lock"
        self._descriptor = -1

    def try_take(self) -> bool:
        """Take the lock if nobody holds it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._current(descriptor):  # a recoverer removed the file after we opened it
                raise BlockingIOError
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def take(self, timeout_s: float = 1.0) -> None:
        """Take the lock, waiting out a recoverer that just looks at it. Raises JournalError when it stays held."""
        deadline = time.monotonic() + timeout_s
        while not self.try_take():
            if time.monotonic() > deadline:
                raise JournalError(f"The journal lock {self.path} is held by another process. Stop that process first.")
            time.sleep(0.01)

    def release(self, remove: bool = False) -> None:
        """Let the lock go; `remove` its file first, when the journal is gone too."""
        if self._descriptor < 0:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def _current(self, descriptor: int) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        here = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
