"""Stops a server in its tracks, with all its processes, and lets it go on: as a machine that is frozen or swaps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.services.processes import Running


@contextmanager
def paused(running: Running) -> Iterator[None]:
    """Hold a started command and its children still; connections stay open, and nothing answers."""
    family = [psutil.Process(running.pid)]
    family[0].send_signal(signal.SIGSTOP)
    try:
        for child in family[0].children(recursive=True):
            child.send_signal(signal.SIGSTOP)
            family.append(child)
        yield
    finally:
        for process in reversed(family):
            process.send_signal(signal.SIGCONT)
