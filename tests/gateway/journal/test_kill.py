"""A writer killed at any moment loses nothing whose append returned."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal.reader import recoverable
from gateway.journal.records import Opened

PROGRAM = """
import os, sys
from gateway.journal.writer import JournalWriter
from tests.gateway.journal.records import opened
writer = JournalWriter(sys.argv[1], "inc", segment_bytes=20_000)
number = 0
while True:
    writer.append(opened(str(number)))
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def killed_writer(directory: Path, after: int) -> int:
    """Run a writer, kill -9 it after it has said `after`; return the last number that it said."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, directory], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = b""
    while said.count(b"\n") < after:
        chunk = os.read(process.stdout.fileno(), 4096)
        assert chunk, "the writer died by itself"
        said += chunk
        assert recoverable(directory) == []  # its lock is held while it lives
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    return (said + rest).rstrip(b"\n").count(b"\n") + 1


def check_one_kill(directory: Path, after: int) -> None:
    said = killed_writer(directory, after)
    (dead,) = recoverable(directory)
    found = [record.request_id for record, _ in dead.reader.read(0, 1_000_000) if isinstance(record, Opened)]
    assert len(found) in (said, said + 1)  # one may be written and not yet said
    assert found == [str(number) for number in range(len(found))]
    dead.remove()


def test_kill_9_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    for after in (1, 40, 500):
        check_one_kill(tmp_path, after)


@pytest.mark.soak
def test_kill_9_many_times(tmp_path: Path) -> None:
    for _ in range(100):
        check_one_kill(tmp_path, random.randint(1, 3000))
