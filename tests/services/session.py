"""One folder per test session: what its processes share, under a lock, and what is stopped when it ends."""

import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.processes import Running

FOLDER, OWNER = "ATRIUM_TEST_SESSION", "ATRIUM_TEST_OWNER"


def begin() -> Path:
    """Return the session's folder; the first caller makes and owns it, processes below inherit it."""
    if FOLDER not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="atrium-test-"))
        folder.chmod(0o755)  # an unprivileged PostgreSQL looks below it
        os.environ[FOLDER] = str(folder)
        os.environ[OWNER] = str(os.getpid())
    return Path(os.environ[FOLDER])


def owner_pid() -> int:
    """Return the process whose end ends the session."""
    return int(os.environ[OWNER])


def end() -> None:
    """Stop every shared service and delete the folder; does nothing in a process that does not own the session."""
    if os.environ.get(OWNER) != str(os.getpid()):
        return
    folder = Path(os.environ.pop(FOLDER))
    del os.environ[OWNER]
    minders = [json.loads(note.read_text())["minder"] for note in folder.glob("*.service.json")]
    for pid in minders:
        _signal(pid, signal.SIGTERM)
    limit = time.monotonic() + 15
    while any(_signal(pid, 0) for pid in minders) and time.monotonic() < limit:
        _reap()
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the session's lock `name` against its other processes."""
    folder = begin()
    with (folder / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder


def shared(name: str, start: Callable[[Path], tuple[Running, str]]) -> str:
    """Return the address of the service `name`, started in a folder of its own by whoever asks first."""
    with locked(name) as folder:
        note = folder / f"{name}.service.json"
        if not note.exists():
            running, address = start(folder / name)
            running.leave_to_owner()
            note.write_text(json.dumps({"minder": running.minder_pid, "address": address}))
        return str(json.loads(note.read_text())["address"])


def next_number(name: str) -> int:
    """Count up from 1 over all processes of the session."""
    with locked(name) as folder:
        counter = folder / f"{name}.count"
        number = int(counter.read_text()) + 1 if counter.exists() else 1
        counter.write_text(str(number))
        return number


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _reap() -> None:
    """Collect ended children, so that a zombie does not look alive."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
