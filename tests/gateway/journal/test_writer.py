"""What the journal's writer promises: all or none, locked, bounded, and a clear word when it cannot write."""

import asyncio
import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.journal import flush as flush_module
from gateway.journal import mapped as mapped_module
from gateway.journal import room as room_module
from gateway.journal.frames import JournalError
from gateway.journal.reader import JournalReader
from gateway.journal.segments import segments
from gateway.journal.writer import JournalWriter
from tests.gateway.journal.records import closed, opened


def everything(directory: Path, incarnation: str) -> list[object]:
    return [record for record, _ in JournalReader(directory, incarnation).read(0, 1_000_000)]


def append_many(writer: JournalWriter, count: int) -> None:
    for number in range(count):
        writer.append(opened(str(number)))


def test_files_are_private(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", "inc_1")
    writer.append(opened())
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "journal").iterdir()}
    assert modes == {"inc_1.journal": 0o600, "inc_1.lock": 0o600}


def test_appended_records_are_read_back_in_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1")
    writer.append(opened("a"), opened("b"))
    writer.append(closed("b"))
    assert everything(tmp_path, "inc_1") == [opened("a"), opened("b"), closed("b")]
    writer.close()
    assert everything(tmp_path, "inc_1") == [opened("a"), opened("b"), closed("b")]
    assert writer.end == (tmp_path / "inc_1.journal").stat().st_size


def test_the_disk_is_allocated_before_it_is_needed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1", segment_bytes=1 << 20)
    allocated = (tmp_path / "inc_1.journal").stat()
    assert (allocated.st_size, allocated.st_blocks * 512 >= 1 << 20) == (1 << 20, True)
    writer.append(opened())
    writer.close()
    assert (tmp_path / "inc_1.journal").stat().st_size < 1000


def test_an_entry_longer_than_a_segment_has_one_of_its_own(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1", segment_bytes=600)
    batches = [[opened("a")], [opened(str(number)) for number in range(20)], [closed("a")]]
    for batch in batches:
        writer.append(*batch)
    assert everything(tmp_path, "inc_1") == [record for batch in batches for record in batch]


def test_a_second_writer_of_the_same_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = JournalWriter(tmp_path, "inc_1")
    with pytest.raises(JournalError, match="held by another process"):
        JournalWriter(tmp_path, "inc_1")
    first.close()
    with pytest.raises(JournalError, match="exists already"):
        JournalWriter(tmp_path, "inc_1")


def test_a_closed_journal_refuses(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1")
    writer.close()
    writer.close()
    with pytest.raises(JournalError, match="closed"):
        writer.append(opened())


def test_segments_rotate_and_keep_the_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1", segment_bytes=1000)
    records = [opened(f"req_{number}") for number in range(50)]
    for record in records:
        writer.append(record)
    writer.close()
    sizes = [path.stat().st_size for path in tmp_path.glob("inc_1*.journal")]
    assert len(sizes) > 5
    assert sum(sizes) == writer.end
    assert max(sizes) <= 1000
    assert everything(tmp_path, "inc_1") == records


def test_what_is_not_drained_is_bounded_and_said_early(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1", max_bytes=8000)
    while not writer.warning:
        writer.append(opened())
    assert "at 8000 calls are refused" in writer.warning
    size = sum(path.stat().st_size for path in tmp_path.glob("*.journal"))
    assert 4000 <= size < 6000
    with pytest.raises(JournalError, match="not in the database yet"):
        append_many(writer, 100)
    for _ in range(20):
        writer.append(closed())  # calls under way end as ever
    assert sum(path.stat().st_size for path in tmp_path.glob("*.journal")) < 12_000
    reader, drained = JournalReader(tmp_path, "inc_1"), writer.end
    reader.discard(drained)
    writer.append(opened())
    assert [record for record, _ in reader.read(drained, 10)] == [opened()]
    writer.look()
    assert writer.warning == ""


def test_a_disk_is_not_filled_to_the_brim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path, "inc_1")
    real = os.statvfs(tmp_path)
    monkeypatch.setattr(room_module.os, "statvfs", lambda _: os.statvfs_result([*real[:4], 10, *real[5:]]))
    writer.look()
    with pytest.raises(JournalError, match="once 64 MiB are free"):
        writer.append(opened())
    writer.append(closed())
    monkeypatch.undo()
    writer.append(opened())
    assert everything(tmp_path, "inc_1") == [closed(), opened()]


def test_calls_are_refused_once_the_files_were_deleted(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", "inc_1")
    shutil.rmtree(tmp_path / "journal")
    writer.look()
    with pytest.raises(JournalError, match="are gone"):
        writer.append(opened())
    assert "restart the gateway" in writer.warning


async def test_a_flush_is_shared_by_all_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    go_on, real = threading.Event(), flush_module.os.fsync

    def slow(descriptor: int) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        flushed.append(writer.end)
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(10)
        real(descriptor)

    writer = JournalWriter(tmp_path, "inc_1", fsync=True)
    monkeypatch.setattr(flush_module.os, "fsync", slow)
    first = writer.append(opened("0"))
    await began.wait()
    others = [writer.append(opened(str(number))) for number in range(1, 20)]
    assert first is not None and not first.done()
    go_on.set()
    for waited in (first, *others):
        assert waited is not None
        await waited
    assert flushed[-1] == writer.end, "what is waited for was written before its flush began"
    assert len(flushed) == 2
    writer.close()


async def test_a_flush_that_fails_is_told_and_the_next_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, "inc_1", fsync=True)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(flush_module.os, "fsync", fail)
    waited = writer.append(opened("a"))
    assert waited is not None
    with pytest.raises(JournalError, match="Input/output error"):
        await waited
    monkeypatch.undo()
    assert everything(tmp_path, "inc_1") == [opened("a")]
    waited = writer.append(opened("b"))
    assert waited is not None
    await waited
    assert [segment.number for segment in segments(tmp_path, "inc_1")] == [0, 1]
    assert everything(tmp_path, "inc_1") == [opened("a"), opened("b")]
    writer.close()


async def test_a_flush_that_fails_is_told_to_all_who_wait_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells of a lost page once: the next flush would succeed without it."""
    writer = JournalWriter(tmp_path, "inc_1", fsync=True)
    began, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def fail(_: int) -> None:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(10)
        monkeypatch.undo()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(flush_module.os, "fsync", fail)
    first = writer.append(opened("a"))
    await began.wait()
    second = writer.append(opened("b"))
    go_on.set()
    for waited in (first, second):
        assert waited is not None
        with pytest.raises(JournalError, match="Input/output error"):
            await waited
    writer.close()


async def test_what_stands_in_an_earlier_segment_is_flushed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, "inc_1", fsync=True, segment_bytes=600)
    flushed, began, go_on = [], asyncio.Event(), threading.Event()
    loop, real = asyncio.get_running_loop(), flush_module.os.fsync

    def slow(descriptor: int) -> None:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(10)
        flushed.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(flush_module.os, "fsync", slow)
    first = writer.append(opened("a"))
    await began.wait()
    last = [writer.append(opened(str(number))) for number in range(9)][-1]
    files = {segment.path.stat().st_ino for segment in segments(tmp_path, "inc_1")}
    assert len(files) > 2
    go_on.set()
    assert first is not None and last is not None
    await asyncio.gather(first, last)
    assert files | {os.stat(tmp_path).st_ino} <= set(flushed)
    writer.close()


async def test_entries_wait_for_their_flush_over_segments_and_the_end(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc_1", fsync=True, segment_bytes=1000)
    waited = [writer.append(opened(str(number))) for number in range(40)]
    writer.close()
    for one in waited:
        assert one is not None
        await one
    assert everything(tmp_path, "inc_1") == [opened(str(number)) for number in range(40)]


def test_an_unwritable_folder_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        JournalWriter(tmp_path / "file" / "journal", "inc_1")


@pytest.mark.parametrize("name", ["", "a.b", "../a", "a/b", "a\n"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a journal"):
        JournalWriter(tmp_path, name)


@pytest.mark.parametrize("call", ["write", "posix_fallocate"])
def test_a_full_disk_at_rotation_keeps_the_old_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    writer = JournalWriter(tmp_path, "inc_1", segment_bytes=700)
    writer.append(opened("a"))
    writer.append(opened("b"))

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(mapped_module.os, call, fail)
    for _ in range(3):
        with pytest.raises(JournalError, match="No space left"):
            writer.append(opened("c"), opened("d"), opened("e"))
    monkeypatch.undo()
    writer.append(opened("f"), opened("g"), opened("h"))
    assert everything(tmp_path, "inc_1") == [opened(name) for name in "abfgh"]


def test_a_real_file_size_limit_is_handled_like_a_full_disk(tmp_path: Path) -> None:
    program = """
import resource, signal, sys
from gateway.journal.frames import JournalError
from gateway.journal.writer import JournalWriter
from tests.gateway.journal.records import opened
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = JournalWriter(sys.argv[1], "inc_1", segment_bytes=5000)
done = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    for number in range(1000):
        writer.append(opened(str(number)))
        done += 1
except JournalError as error:
    assert "File too large" in str(error), error
print(done)
"""
    assert hasattr(resource, "RLIMIT_FSIZE")
    result = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert len(everything(tmp_path, "inc_1")) == int(result.stdout) > 10
    assert [path.name for path in tmp_path.glob("*.journal")] == ["inc_1.journal"]


def test_a_file_system_that_maps_nothing_is_said_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr(mapped_module.mmap, "mmap", fail)
    with pytest.raises(JournalError, match=r"No such device.*JOURNAL=database"):
        JournalWriter(tmp_path, "inc_1")
    assert list(tmp_path.glob("*.journal")) == []
