"""How the processes of one machine know of each other's metrics: a file each, in one folder, under one lock.

Whoever is asked merges all files. What a dead process counted stays: it is folded into one file, so that a counter
never goes back. The values of the last second before a `kill -9` are lost; usage itself is in the journal.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.metrics.values import Values

ALIVE_S = 10.0  # a process that wrote nothing for so long says nothing about the present
FOLD_S = 60.0  # and after this long it is dead
PAST = "past"


class _Past(NamedTuple):
    """What dead processes counted, and which of them was taken in last: its file may still be there."""

    last: str
    values: Values


class SharedMetrics:
    """This process's place among the others in `folder`. Its methods block for a moment: call them on a thread."""

    def __init__(self, folder: Path, incarnation: str) -> None:
        """Make the folder. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._own = folder, folder / f"{incarnation}.json"
        self._written: Values | None = None  # what stands in our file, with what was folded away
        self._base = Values()  # what was folded away while we slept

    def write(self, values: Values) -> None:
        """Put down what this process counted. Raises OSError."""
        with self._locked():
            if self._written is not None and not self._own.exists():
                self._base = self._written  # we slept so long that we were taken for dead
                self._own = self._own.with_stem(f"{self._own.stem}+")
            self._written = values
            _replace(self._own, values.less(self._base))

    def read(self, values: Values) -> Values:
        """Return what all processes counted; `values` is what this one did by now. Raises OSError."""
        with self._locked():
            everything = values.less(self._base)
            for path, counted in self._others():
                age_s = _age(path)
                everything.merge(counted, alive=age_s < ALIVE_S)
                if age_s > FOLD_S and path.name != PAST:
                    self._fold_one(path, counted)
        return everything

    def leave(self, values: Values) -> None:
        """Leave what was counted to the others, at the end of the process. Raises OSError."""
        self.write(values)
        with self._locked():
            self._fold_one(self._own, _load(self._own))

    def _others(self) -> Iterator[tuple[Path, Values]]:
        """Yield what others counted, each once, though a fold was broken off."""
        past = self._past()
        yield self._folder / PAST, past.values
        for path in self._folder.glob("*.json"):
            if path.stem == past.last:
                path.unlink()
            elif path != self._own:
                yield path, _load(path)

    def _fold_one(self, path: Path, counted: Values) -> None:
        past = self._past()
        past.values.merge(counted, alive=False)
        made = self._folder / f"{PAST}.new"
        made.write_bytes(msgspec.json.encode((path.stem, msgspec.Raw(past.values.encode()))))
        made.replace(self._folder / PAST)
        path.unlink()

    def _past(self) -> _Past:
        try:
            last, values = msgspec.json.decode((self._folder / PAST).read_bytes(), type=tuple[str, msgspec.Raw])
            return _Past(last, Values.decode(values))
        except (FileNotFoundError, msgspec.MsgspecError):
            return _Past("", Values())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _replace(path: Path, values: Values) -> None:
    made = path.with_suffix(".new")
    made.write_bytes(values.encode())
    made.replace(path)


def _load(path: Path) -> Values:
    try:
        return Values.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return Values()


def _age(path: Path) -> float:
    try:
        return time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
