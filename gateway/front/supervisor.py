"""Several processes that serve one port: started, replaced when they end, stopped together."""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
STEADY_S = 5.0  # who ends sooner is not started again at once
MOST_PAUSE_S = 30.0
STOP_WITHIN_S = 60.0

Starter = Callable[[], "subprocess.Popen[bytes]"]


class Supervisor:
    """Runs `command` several times. They share what they inherit: a listening socket, whose queue outlives each of them.

    A pipe tells them when this process is gone, however it ended: `follow` is their side of it.
    """

    def __init__(self, command: Sequence[str], processes: int, inherited: Sequence[int]) -> None:
        self._command = command
        self._alive_fd, self._kept_fd = os.pipe()
        self._inherited = (*inherited, self._alive_fd)
        self._places = [_Place() for _ in range(processes)]
        self._stopping = False

    def run(self) -> None:
        """Keep the processes running until SIGTERM or SIGINT, then stop them and return when the last has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            for place in self._places:
                place.tend(self._start)
            time.sleep(LOOK_EVERY_S)
        for place in self._places:
            place.end()
        due = time.monotonic() + STOP_WITHIN_S
        for place in self._places:
            place.wait(due - time.monotonic())

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [*self._command, "--follow", str(self._alive_fd)]
        return subprocess.Popen(command, pass_fds=self._inherited)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


class _Place:
    """One of the processes, and whoever takes its place."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._began = self._pause_s = 0.0

    def tend(self, start: Starter) -> None:
        """Start a process where none runs, later and later if they do not last."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            log.error("process %d ended with %d; another takes its place", self._process.pid, self._process.returncode)
            self._process = None
            self._pause_s = 0.0 if now - self._began > STEADY_S else min(MOST_PAUSE_S, max(1.0, 2 * self._pause_s))
            self._began = now
        if self._process is None and now - self._began >= self._pause_s:
            self._began = now
            self._process = start()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        if self._process is not None:
            try:
                self._process.wait(max(0.0, seconds))
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def follow(alive_fd: int) -> None:
    """Stop this process, as SIGTERM would, when the supervisor that started it is gone."""

    def wait() -> None:
        os.read(alive_fd, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor-is-alive", daemon=True).start()
