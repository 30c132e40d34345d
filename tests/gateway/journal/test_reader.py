"""What the journal's reader promises: every whole entry, no torn one, damage said with its place."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.journal import frames
from gateway.journal.frames import HEADER_BYTES, JournalDamagedError
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Record
from gateway.journal.segments import segments
from gateway.journal.writer import JournalWriter
from tests.gateway.journal.records import any_record, closed, opened

BATCHES: list[list[Record]] = [[opened("a")], [opened("b"), closed("a")], [closed("b")]]


def written(directory: Path, batches: list[list[Record]] = BATCHES, segment_bytes: int = 1 << 20) -> list[int]:
    """Write a journal `inc` and return the offset after each batch."""
    writer = JournalWriter(directory, "inc", segment_bytes=segment_bytes)
    ends = []
    for batch in batches:
        writer.append(*batch)
        ends.append(writer.end)
    writer.close()
    return ends


def read(directory: Path, offset: int = 0) -> list[Record]:
    return [record for record, _ in JournalReader(directory, "inc").read(offset, 1000)]


@given(st.lists(st.lists(any_record, min_size=1, max_size=4), max_size=12), st.integers(200, 2000), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_any_records_survive_any_segmentation_and_paging(
    batches: list[list[Record]], segment_bytes: int, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written(directory, batches, segment_bytes)
        reader, offset, found = JournalReader(directory, "inc"), 0, []
        while page := reader.read(offset, limit):
            found += [record for record, _ in page]
            offset = page[-1][1]
        assert found == [record for batch in batches for record in batch]


def test_a_tail_torn_at_any_byte_is_dropped(tmp_path: Path) -> None:
    ends = written(tmp_path)
    path = tmp_path / "inc.journal"
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = sum(end <= size for end in ends)
        assert read(tmp_path) == [record for batch in BATCHES[:whole] for record in batch], size


def test_a_tail_of_zeros_is_a_torn_one(tmp_path: Path) -> None:
    written(tmp_path)
    with open(tmp_path / "inc.journal", "ab") as file:
        file.write(bytes(4096))
    assert read(tmp_path) == [record for batch in BATCHES for record in batch]


@given(st.lists(any_record, min_size=1, max_size=3), st.data(), st.integers(0, 600_000))
@settings(max_examples=200, deadline=None)
def test_whatever_of_an_entry_without_its_length_was_put_is_dropped(
    torn: list[Record], data: st.DataObject, allocated: int
) -> None:
    """A killed writer may have put any bytes of an entry, but never its length: that is put last."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written(directory)
        body = frames.encode(torn)[frames.LENGTH_BYTES :]
        put = data.draw(st.binary(min_size=len(body), max_size=len(body)))
        tail = bytes(byte if chosen & 1 else 0 for byte, chosen in zip(body, put, strict=True))
        with open(directory / "inc.journal", "ab") as file:
            file.write(bytes(frames.LENGTH_BYTES) + tail + bytes(allocated))
        assert read(directory) == [record for batch in BATCHES for record in batch]


def test_whole_entries_behind_one_without_a_length_are_damage(tmp_path: Path) -> None:
    ends = written(tmp_path)
    path = tmp_path / "inc.journal"
    data = bytearray(path.read_bytes())
    data[ends[0] : ends[0] + frames.LENGTH_BYTES] = bytes(frames.LENGTH_BYTES)
    path.write_bytes(data + bytes(300_000))
    reader = JournalReader(tmp_path, "inc")
    assert read(tmp_path) == BATCHES[0]
    with pytest.raises(JournalDamagedError, match="cut off"):
        reader.read(ends[0], 1000)
    assert reader.skip_damage(ends[0]) == ends[1]


def test_a_writer_killed_between_two_segments_leaves_no_damage(tmp_path: Path) -> None:
    written(tmp_path, [[opened(str(number))] for number in range(20)], segment_bytes=600)
    whole = read(tmp_path)
    assert len(whole) == 20
    number = len(segments(tmp_path, "inc"))
    for begun in (b"", frames.header(0)[:7], bytes(4096)):  # the next one: made, written in part, only allocated
        (tmp_path / f"inc.{number}.journal").write_bytes(begun)
        assert read(tmp_path) == whole
    for path in tmp_path.glob("*.journal"):  # not cut to what was used
        with open(path, "ab") as file:
            file.write(bytes(5000))
    assert read(tmp_path) == whole
    reader = JournalReader(tmp_path, "inc")
    reader.discard(reader.read(0, 1000)[-1][1])
    assert len(segments(tmp_path, "inc")) == 2  # the last one, and what was begun


def test_of_a_living_journal_only_what_its_writer_has_finished_is_read(tmp_path: Path) -> None:
    """Bytes beyond are being put: what is read of them may be of two moments."""
    ends = written(tmp_path)
    for end, whole in zip((0, *ends), range(4), strict=True):
        reader = JournalReader(tmp_path, "inc", lambda end=end: end)  # type: ignore[misc]
        found = [record for record, _ in reader.read(0, 1000)]
        assert found == [record for batch in BATCHES[:whole] for record in batch]
        assert reader.skip_damage(end) == end
    (tmp_path / "inc.journal").write_bytes((tmp_path / "inc.journal").read_bytes()[: ends[1]] + bytes(1000))
    with pytest.raises(JournalDamagedError, match="cut off"):
        JournalReader(tmp_path, "inc", lambda: ends[2]).read(ends[1], 1000)


def test_a_flipped_bit_anywhere_is_reported_at_its_entry(tmp_path: Path) -> None:
    ends = written(tmp_path)
    path = tmp_path / "inc.journal"
    data = path.read_bytes()
    starts = [HEADER_BYTES, *ends[:-1]]
    reader = JournalReader(tmp_path, "inc")
    for position in range(HEADER_BYTES, len(data)):
        broken = bytearray(data)
        broken[position] ^= 1 << (position % 8)
        path.write_bytes(broken)
        entry = sum(end <= position for end in ends)
        intact = reader.read(0, 1000) if entry else []
        assert [record for record, _ in intact] == [record for batch in BATCHES[:entry] for record in batch]
        with pytest.raises(JournalDamagedError) as caught:
            reader.read(starts[entry], 1000)
        assert caught.value.offset == starts[entry]
        assert reader.skip_damage(starts[entry]) == ends[entry]


def test_a_flipped_bit_in_a_header_is_reported(tmp_path: Path) -> None:
    ends = written(tmp_path)
    path = tmp_path / "inc.journal"
    data = path.read_bytes()
    for position in range(HEADER_BYTES):
        broken = bytearray(data)
        broken[position] ^= 1
        path.write_bytes(broken)
        with pytest.raises(JournalDamagedError) as caught:
            read(tmp_path)
        assert caught.value.offset == 0
        reader = JournalReader(tmp_path, "inc")
        assert [record for record, _ in reader.read(reader.skip_damage(0), 1000)] == [
            record for batch in BATCHES for record in batch
        ]
        assert JournalReader(tmp_path, "inc").skip_damage(ends[0]) == ends[0]


def test_a_cut_or_missing_segment_before_the_last_is_damage(tmp_path: Path) -> None:
    written(tmp_path, [[opened(str(number))] for number in range(20)], segment_bytes=600)
    path = tmp_path / "inc.1.journal"
    reader = JournalReader(tmp_path, "inc")
    whole = reader.read(0, 1000)
    path.write_bytes(path.read_bytes()[:-1])
    before = reader.read(0, 1000)  # what stands before the damage
    assert before == whole[: len(before)]
    assert 3 < len(before) < 10
    with pytest.raises(JournalDamagedError, match="cut off"):
        reader.read(before[-1][1], 1000)
    path.unlink()
    before = reader.read(0, 1000)
    assert 0 < len(before) < 5
    offset = before[-1][1]
    with pytest.raises(JournalDamagedError, match="missing"):
        reader.read(offset, 1000)
    after = reader.read(reader.skip_damage(offset), 1000)
    assert after == whole[-len(after) :]
    assert len(after) > 5


def test_a_journal_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc", segment_bytes=900)
    reader, offset = JournalReader(tmp_path, "inc"), 0
    assert reader.read(0, 10) == []
    for number in range(20):
        writer.append(opened(str(number)))
        [(record, offset)] = reader.read(offset, 10)
        assert record == opened(str(number))
        assert reader.read(offset, 10) == []
    assert offset == writer.end


def test_drained_segments_are_deleted_and_the_rest_is_still_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "inc", segment_bytes=900)
    for number in range(20):
        writer.append(opened(str(number)))
    reader = JournalReader(tmp_path, "inc")
    offset = reader.read(0, 11)[-1][1]
    before = len(list(tmp_path.glob("*.journal")))
    reader.discard(offset)
    assert len(list(tmp_path.glob("*.journal"))) < before
    assert [record for record, _ in reader.read(offset, 100)] == [opened(str(number)) for number in range(11, 20)]
    drained = writer.end
    reader.discard(drained)
    assert len(list(tmp_path.glob("*.journal"))) == 1
    writer.append(closed())
    assert [record for record, _ in reader.read(drained, 100)] == [closed()]
    with pytest.raises(JournalDamagedError, match="missing"):
        reader.read(offset, 100)


def test_only_journals_of_the_dead_are_recoverable_and_by_one_only(tmp_path: Path) -> None:
    assert recoverable(tmp_path / "none") == []
    alive = JournalWriter(tmp_path, "alive")
    dead = JournalWriter(tmp_path, "dead", segment_bytes=600)
    for number in range(5):
        dead.append(opened(str(number)))
    dead.close()
    (found,) = recoverable(tmp_path)
    assert found.incarnation == "dead"
    assert recoverable(tmp_path) == []
    found.release()
    (again,) = recoverable(tmp_path)
    assert len(again.reader.read(0, 100)) == 5
    again.remove()
    assert recoverable(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {"alive.journal", "alive.lock"}
    alive.close()


def test_a_lock_that_was_left_alone_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "gone.lock").write_bytes(b"")
    (tmp_path / "unrelated.txt").write_bytes(b"")
    assert recoverable(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["unrelated.txt"]


@given(st.binary(max_size=60), st.integers(0, 5_000), st.binary(max_size=60))
@example(b"", 0, b"")
@example(b"\0\0\1", 3_000, b"\1")
def test_the_next_whole_entry_is_found_behind_any_damage(before: bytes, zeros: int, after: bytes) -> None:
    damage = before + bytes(zeros) + after
    entry = frames.encode([opened("a"), closed("a")])

    assert frames.find(damage + entry, 0) == len(damage)
    assert frames.find(damage + entry[:-1], 0) == -1
    assert frames.find(damage, 0) == -1
