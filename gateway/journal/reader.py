"""Reads journals back: the running process's own, and those that dead processes left."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gateway.journal import frames
from gateway.journal.frames import JournalDamagedError, TornError
from gateway.journal.records import Record
from gateway.journal.segments import OwnerLock, Segment, incarnations, segments
from gateway.snapshot import UNSET

_CHUNK = 64 << 10  # more is memory that malloc fetches from the system and gives back each time
_ANY_FRAME = frames.FRAME_BYTES + frames.MAX_PAYLOAD


@dataclass(frozen=True, slots=True)
class _Head:
    """A segment's file. `damage` says what is wrong with its header, whose `base` is then unknown."""

    segment: Segment
    size: int
    base: int | None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A segment as it is read. Where it is the `last` of a dead writer, its end may be torn or empty."""

    segment: Segment
    base: int
    size: int
    last: bool

    @property
    def end(self) -> int:
        return self.base + self.size


class JournalReader:
    """Reads the journal of one incarnation from a logical offset, while it is written or after.

    Offsets count bytes over all segments; they are what a drain stores. Start with 0. `end` tells up to where a living
    writer has written; without it the writer is dead, and all that is there is read.
    """

    def __init__(
        self, directory: str | os.PathLike[str], incarnation: str, end: Callable[[], int] | None = None
    ) -> None:
        self.directory = Path(directory)
        self.incarnation = incarnation
        self._end = end

    def read(self, offset: int, limit: int) -> list[tuple[Record, int]]:
        """Return up to about `limit` records from `offset` on, each with the offset to go on from.

        Records that were appended together come together, with one offset. A torn tail (an append that was cut off)
        is left out. Raises JournalDamagedError when the first bytes to read do not check; what stands before the damage
        is returned first.
        """
        found: list[tuple[Record, int]] = []
        try:
            for opened in self._segments(offset):
                while offset < opened.end and len(found) < limit:
                    before = offset
                    offset = self._read_some(opened, max(offset, opened.base + frames.HEADER_BYTES), limit, found)
                    if offset == before:  # a torn tail
                        return found
                if len(found) >= limit:
                    break
        except JournalDamagedError:
            if not found:
                raise
        return found

    def skip_damage(self, offset: int) -> int:
        """Return where the next intact entry at or after `offset` begins, or the journal's end."""
        end = offset
        for opened in self._segments():
            end = max(end, opened.end)
            data = _read_at(opened.segment.path, 0, opened.size)
            position = frames.find(data, max(offset - opened.base, frames.HEADER_BYTES))
            if position >= 0:
                return opened.base + position
        return end

    def discard(self, upto: int) -> None:
        """Delete the segments that lie wholly before `upto`; the last one stays, as it may be written."""
        passed: list[Path] = []
        for before, after in pairwise(self._heads()):
            passed.append(before.segment.path)
            if after.base is None:
                continue
            if after.base > upto:
                return
            while passed:
                passed.pop().unlink(missing_ok=True)

    def _heads(self) -> Iterator[_Head]:
        """Walk the files; one at the end that was only just begun, or taken back, is none."""
        listed = segments(self.directory, self.incarnation)
        for segment in listed:
            size, base, damage = 0, None, ""
            try:
                size = segment.path.stat().st_size
                base = frames.read_header(_read_at(segment.path, 0, frames.HEADER_BYTES))
            except FileNotFoundError:
                return
            except TornError:
                if segment is listed[-1]:
                    return
                damage = "the header is cut off"
            except ValueError as error:
                damage = str(error)
            yield _Head(segment, size, base, damage)

    def _segments(self, offset: int = UNSET) -> Iterator[_Opened]:
        """Walk the segments; raise JournalDamagedError at one that is lost or unreadable unless `offset` is past it.

        A segment ends where the next one begins: its file may be longer, if its writer was killed between the two.
        """
        written = UNSET if self._end is None else self._end()
        heads = self._heads()
        head, expected = next(heads, None), None
        while head is not None:
            after = next(heads, None)
            base, what = head.base, head.damage
            if base is None:
                base = expected or 0
            elif offset < base if expected is None else expected != base:
                what = "a segment before it is missing"
            if what and offset < base + frames.HEADER_BYTES:
                raise JournalDamagedError(head.segment.path.name, base, what)
            size = head.size
            if after is not None and after.base is not None:
                size = min(size, max(after.base - base, 0))
            if self._end is not None:
                size = min(size, written - base)
                if size <= 0:
                    return
            expected = base + size
            yield _Opened(head.segment, base, size, last=after is None and self._end is None)
            head = after

    def _read_some(self, opened: _Opened, offset: int, limit: int, found: list[tuple[Record, int]]) -> int:
        """Add records of one chunk to `found`; return the offset reached."""
        begin = offset - opened.base
        data = _read_at(opened.segment.path, begin, min(_CHUNK, opened.size - begin))
        base, position, size, decode = opened.base + begin, 0, len(data), frames.decode
        while position < size and len(found) < limit:
            try:
                records, position = decode(data, position)
            except TornError:
                whole = min(_ANY_FRAME, opened.size - begin - position)
                if size - position < whole:  # the rest of this entry has not been read
                    if position > 0:
                        break
                    data = _read_at(opened.segment.path, begin, whole)
                    if len(data) > size:
                        size = len(data)
                        continue
                if not opened.last or _goes_on(opened, begin + position):
                    raise JournalDamagedError(opened.segment.path.name, base + position, "it is cut off") from None
                break
            except ValueError as error:
                raise JournalDamagedError(opened.segment.path.name, base + position, str(error)) from None
            after = base + position
            found += [(record, after) for record in records]
        return base + position


def _goes_on(opened: _Opened, position: int) -> bool:
    """Whether there are entries behind a torn one: no killed writer leaves that."""
    return frames.find(_read_at(opened.segment.path, position, opened.size - position), 0) >= 0


@dataclass(slots=True)
class DeadJournal:
    """A journal whose owner is dead, and whose lock we hold: nobody else recovers it meanwhile."""

    incarnation: str
    reader: JournalReader
    _lock: OwnerLock

    def remove(self) -> None:
        """Delete the journal, once all of it is drained, and let its lock go."""
        for segment in reversed(segments(self.reader.directory, self.incarnation)):
            segment.path.unlink(missing_ok=True)
        self._lock.release(remove=True)

    def put_aside(self) -> None:
        """Rename the files to `….damaged`, for people to look at, and let the lock go."""
        for segment in segments(self.reader.directory, self.incarnation):
            segment.path.rename(segment.path.with_name(segment.path.name + ".damaged"))
        self._lock.release(remove=True)

    def release(self) -> None:
        """Let the lock go and leave what there is of the journal."""
        self._lock.release()


def recoverable(directory: str | os.PathLike[str]) -> list[DeadJournal]:
    """List the journals whose owner is dead, each locked until `remove` or `release` is called on it.

    Locks that were left without a journal are cleared away.
    """
    folder = Path(directory)
    found = []
    for incarnation in incarnations(folder):
        lock = OwnerLock(folder, incarnation)
        if not lock.try_take():
            continue
        if segments(folder, incarnation):
            found.append(DeadJournal(incarnation, JournalReader(folder, incarnation), lock))
        else:
            lock.release(remove=True)
    return found


def _read_at(path: Path, position: int, length: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        file.seek(position)
        chunks = []
        while length > 0:
            chunk = file.read(length)
            if not chunk:
                break
            chunks.append(chunk)
            length -= len(chunk)
    return b"".join(chunks)
