"""Processes that tests start: minded, logged to a file, waited for by condition."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MINDER = Path(__file__).with_name("minder.py")


class DidNotHappen(AssertionError):
    """A condition that a test waits for did not come true in time."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, what: str, timeout_s: float = 20, every_s: float = 0.05) -> None:
    """Poll `condition` until it holds. Raises DidNotHappen, naming `what`."""
    limit = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > limit:
            raise DidNotHappen(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(every_s)


class Running:
    """A started command. It ends with `owner_pid`, at the latest."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        name: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        owner_pid: int | None = None,
        stop_signal: int = signal.SIGTERM,
        user: str = "-",
    ) -> None:
        self.command = list(command)
        self.log_path = folder / f"{name}.log"
        pid_file = folder / f"{name}.pid"
        pid_file.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            owner = str(owner_pid or os.getpid())
            minding = [sys.executable, "-E", "-S", str(MINDER), owner, str(pid_file), str(int(stop_signal)), user]
            self._minder = subprocess.Popen(
                [*minding, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        wait_until(lambda: pid_file.exists() or self._minder.poll() is not None, what=f"start of {name}")
        if not pid_file.exists():
            raise DidNotHappen(f"{name} did not start: {self.log()}")
        self.pid = int(pid_file.read_text())

    @property
    def minder_pid(self) -> int:
        return self._minder.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code (128 + number after a signal), None while it runs."""
        return self._minder.poll()

    def leave_to_owner(self) -> None:
        """Let it outlive this object: `owner_pid` ends it."""
        self._minder.returncode = 0  # else Popen warns about a child that still runs

    def log(self) -> str:
        """Return what it printed so far."""
        return self.log_path.read_text(errors="replace")

    def send(self, number: int) -> None:
        """Send a signal to the command itself."""
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 20) -> int:
        """Wait for its end and return the exit code. Raises DidNotHappen."""
        wait_until(lambda: self._minder.poll() is not None, what=f"end of {self.command[:3]}", timeout_s=timeout_s)
        return self._minder.wait()

    def stop(self) -> int:
        """Ask it to stop as its owner would, and return the exit code."""
        if self._minder.poll() is None:
            self._minder.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it without warning (`kill -9`), with all it started."""
        if self._minder.poll() is None:
            self.send(signal.SIGKILL)
            self.wait()
