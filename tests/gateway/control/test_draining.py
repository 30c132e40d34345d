"""The drain's loop: idle it asks nothing, in trouble it says one sentence, and it looks after dead neighbours."""

import asyncio
import errno
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from pytest import LogCaptureFixture, MonkeyPatch

from billing.models import UsageEvent
from gateway.control import drain as drain_module
from gateway.control import draining as draining_module
from gateway.control.database import DatabaseThread
from gateway.control.drain import Drain
from gateway.control.draining import Draining
from gateway.control.journals import FileJournals
from gateway.journal.frames import JournalError
from gateway.journal.writer import JournalWriter
from tests.gateway.control.test_drain import closed, opened

pytestmark = pytest.mark.django_db(transaction=True)


class CountingThread(DatabaseThread):
    """Counts what the database thread was given to do."""

    pieces = 0

    async def run(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.pieces += 1
        return await super().run(fn, *args, **kwargs)


@pytest.fixture
def thread() -> Iterator[CountingThread]:
    made = CountingThread("test-drain")
    yield made
    made.shutdown()


class Loop:
    """A loop over a journal of its own."""

    def __init__(self, folder: Path, thread: CountingThread) -> None:
        self.folder, self.thread = folder, thread
        self.journals = FileJournals(folder, "gw_1", fsync=False, max_bytes=1 << 30)

    async def begin(self) -> None:
        self.journal = await self.journals.begin()
        self.drain = Drain(self.journals.reader())
        self.draining = Draining(self.journal, self.drain, self.journals, self.thread, asyncio.Lock())
        self._task = asyncio.get_running_loop().create_task(self.draining.run())
        await asyncio.wait_for(self.draining.swept.wait(), 10)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.journals.end()

    async def arrived(self, count: int) -> bool:
        return await DatabaseThread.run(self.thread, UsageEvent.objects.count) == count


@pytest.fixture
async def loop(tmp_path: Path, thread: CountingThread, monkeypatch: MonkeyPatch) -> AsyncIterator[Loop]:
    monkeypatch.setattr(draining_module, "EVERY_S", 0.01)
    monkeypatch.setattr(draining_module, "RETRY_S", 0.01)
    begun = Loop(tmp_path / "journal", thread)
    await begun.begin()
    yield begun
    await begun.end()


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def some_turns() -> None:
    for _ in range(30):
        await asyncio.sleep(0.01)


async def test_idle_it_asks_the_database_nothing(loop: Loop) -> None:
    loop.journal.append(opened(1), closed(1))
    await until(lambda: loop.arrived(1))
    await until(lambda: loop.drain.offset == loop.journal.end)
    before = loop.thread.pieces
    await some_turns()
    assert loop.thread.pieces == before


async def test_an_outage_is_said_once_and_its_end_too(
    loop: Loop, monkeypatch: MonkeyPatch, caplog: LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.control.draining")
    working = drain_module.ingest

    def away(*_: object, **__: object) -> None:
        raise DatabaseError("connection refused\nIs the server running?")

    monkeypatch.setattr(drain_module, "ingest", away)
    loop.journal.append(opened(1), closed(1))
    await until(lambda: loop.draining.problem)
    await some_turns()
    assert "nothing is lost" in loop.draining.problem
    monkeypatch.setattr(drain_module, "ingest", working)
    await until(lambda: loop.arrived(1))
    await until(lambda: not loop.draining.problem)
    assert [record.getMessage() for record in caplog.records] == [
        "The database is away: usage waits in the journal, and nothing is lost. connection refused",
        "usage is drained again",
    ]
    assert not any(record.exc_info for record in caplog.records)


async def test_a_deleted_folder_is_one_sentence_and_ends_calls(loop: Loop, caplog: LogCaptureFixture) -> None:
    shutil.rmtree(loop.folder)
    loop.journal.append(opened(1), closed(1))
    await until(lambda: loop.draining.problem)
    await some_turns()
    [record] = caplog.records
    assert "are gone" in record.getMessage() and not record.exc_info
    with pytest.raises(JournalError, match="are gone"):
        loop.journal.append(opened(2))


async def test_a_neighbour_that_dies_is_recovered(loop: Loop, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(draining_module, "SWEEP_S", 0.05)
    dead = JournalWriter(loop.folder, "gw_2")
    dead.append(opened(1), opened(2), closed(1))
    await some_turns()
    assert await loop.arrived(0), "it lives"
    dead.close()
    await until(lambda: loop.arrived(2))
    await until(lambda: sorted(path.name for path in loop.folder.iterdir()) == ["gw_1.journal", "gw_1.lock"])


async def test_a_folder_that_cannot_be_read_for_a_while_ends_no_loop(loop: Loop, monkeypatch: MonkeyPatch) -> None:
    listdir = os.listdir

    def too_many(*_: object) -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(draining_module, "SWEEP_S", 0.01)
    monkeypatch.setattr(os, "listdir", too_many)
    await until(lambda: loop.draining.problem)
    loop.journal.append(opened(1), closed(1))
    await some_turns()
    monkeypatch.setattr(os, "listdir", listdir)
    await until(lambda: loop.arrived(1))
    await until(lambda: not loop.draining.problem)
