"""Moves the journal into the database: pairs each opened entry with its end, and hands them to billing."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from django.db import DataError, connection

from billing import bulk, escrow
from billing.bulk import Attempt, Name
from billing.ingest import Ingested, Place, costs_of, ingest, place_of, recovered
from billing.models import UsageEvent
from gateway.journal.frames import JournalDamagedError
from gateway.journal.records import Opened, Record
from portal.keys.models import Key

log = logging.getLogger(__name__)

BATCH = 4000  # records, two a call
SQLITE_BATCH = 2000  # its one writer is kept from others for at most 50 ms
CARRY_BYTES = 16 << 20  # how far entries that are still open may hold the drained journal back

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Opened])

StillOpen = dict[Name, tuple[Opened, int | None]]  # name: the entry and its offset; None: carried


class Reader(Protocol):
    """Reads one journal; offsets are what its place in the database counts."""

    incarnation: str

    def read(self, offset: int, limit: int) -> list[tuple[Record, int]]:
        """Return about `limit` records from `offset` on, each with the offset to go on from. May raise JournalError."""
        ...

    def skip_damage(self, offset: int) -> int:
        """Return where the next intact entry at or after `offset` begins."""
        ...

    def discard(self, upto: int) -> None:
        """Delete what stands before `upto`, where that can be done."""
        ...


@dataclass(slots=True)
class Drain:
    """Drains one journal. `step` is called on a database thread; `heard` is told what moved."""

    reader: Reader
    heard: Callable[[Ingested], None] = lambda _: None
    alarms: int = 0
    offset: int = 0
    _open: StillOpen = field(default_factory=dict)
    _place: Place | None = None
    _heard: int = 0  # up to where `heard` was told what ended
    _doubt: dict[Name, Attempt] = field(default_factory=dict)  # of a commit that nobody answered

    @property
    def batch(self) -> int:
        """How many records one step moves at most."""
        return min(BATCH, SQLITE_BATCH) if connection.vendor == "sqlite" else BATCH

    def step(self) -> int:
        """Move up to a batch of entries; returns how many were read. Raises DatabaseError, and is then simply called again."""
        place = self._started()
        records = self._read()
        if not records:
            return 0
        still_open = dict(self._open)
        attempts, offset = self._pair(records, still_open)
        after = _place_after(place, still_open, offset)
        try:
            self._move(attempts, place, after)
        except BaseException:
            self._place = None  # it may be committed all the same: ask the database where it stands
            ended = {(record.request_id, record.attempt) for record, at in records if at > self._heard}
            self._doubt |= {name: attempt for name, attempt in attempts.items() if name in ended}
            raise
        self._heard = max(self._heard, offset)
        self._open, self.offset, self._place = still_open, offset, after
        self.reader.discard(int(after.position))
        return len(records)

    def finish(self) -> None:
        """Charge what was opened and never closed, free the leases: the journal's process is dead, its lock is ours."""
        while self.step():
            pass
        lost = {name: (opened, recovered(opened)) for name, (opened, _) in self._open.items()}
        end = Place(str(self.offset))
        self._move(lost, self._started(), end)
        ingest(self.reader.incarnation, {}, end, end, finished=True)
        escrow.free_all(self.reader.incarnation)
        if lost:
            log.warning(
                "journal %s: %d attempts had no end and are charged as estimated", self.reader.incarnation, len(lost)
            )

    def _move(self, attempts: dict[Name, Attempt], before: Place, after: Place) -> None:
        """Ingest a batch. One event that the database does not take must not hold up all others: it is left out."""
        try:
            done = ingest(self.reader.incarnation, attempts, before, after)
        except DataError as error:
            if len(attempts) > 1:
                for name, attempt in attempts.items():
                    self._move({name: attempt}, before, before)
            else:
                self.alarms += 1
                log.error("usage is lost: the database refuses the event of %s: %s", list(attempts), error)
            done = ingest(self.reader.incarnation, {}, before, after)
        self.heard(done)
        mark_keys_used(done.inserted)

    def _started(self) -> Place:
        if self._place is None:
            place = place_of(self.reader.incarnation)
            self._settle_doubt()
            self._place = place
            self.offset = int(self._place.position)
            self._open = {}
            for opened in _decoder.decode(self._place.carried) if self._place.carried else ():
                self._open[opened.request_id, opened.attempt] = (opened, None)
        return self._place

    def _settle_doubt(self) -> None:
        """Tell what a commit did whose answer was lost, if it was done: else what was spent would seem reserved for ever."""
        if self._doubt:
            ids = {request_id for request_id, _ in self._doubt}
            rows = UsageEvent.objects.filter(request_id__in=ids).values_list("request_id", "attempt")
            costs = costs_of([self._doubt[name] for name in rows if name in self._doubt])
            self._doubt = {}
            if costs:
                self.heard(Ingested((), costs, costs, doubted=True))

    def _read(self) -> list[tuple[Record, int]]:
        try:
            return self.reader.read(self.offset, self.batch)
        except JournalDamagedError as error:
            self.alarms += 1
            log.error("usage may be lost: %s", error)
            self.offset = self.reader.skip_damage(self.offset + 1)
            return self.reader.read(self.offset, self.batch)

    def _pair(self, records: list[tuple[Record, int]], still_open: StillOpen) -> tuple[dict[Name, Attempt], int]:
        attempts: dict[Name, Attempt] = {}
        start = end = self.offset
        for record, after in records:
            if after != end:  # entries that were appended together share one place
                start, end = end, after
            name = (record.request_id, record.attempt)
            if isinstance(record, Opened):
                still_open[name] = (record, start)
            elif (opened := still_open.pop(name, None)) is not None:
                attempts[name] = (opened[0], record)
            # An end without its beginning was drained before: the offset stood at an older entry that was still open.
        return attempts, end


def _place_after(place: Place, still_open: StillOpen, offset: int) -> Place:
    """Say from where a successor must read: the oldest entry that is still open.

    When that would keep too much of the journal, all that is open is carried along instead. An entry that ended since
    it was carried does no harm: whoever charges it again finds its event there.
    """
    oldest = min((at for _, at in still_open.values() if at is not None), default=offset)
    if offset - oldest <= CARRY_BYTES:
        carried = place.carried if any(at is None for _, at in still_open.values()) else b""
        return Place(str(oldest), carried)
    for name, (opened, _) in still_open.items():
        still_open[name] = (opened, None)
    return Place(str(offset), _encoder.encode([opened for opened, _ in still_open.values()]))


def mark_keys_used(attempts: Iterable[Attempt]) -> None:
    """Note when, and from which client, each key was last used: one statement, with rows locked in order of id."""
    last: dict[str, Opened] = {}
    for opened, _ in attempts:
        if opened.key_id not in last or opened.at_ms >= last[opened.key_id].at_ms:
            last[opened.key_id] = opened
    if not last:
        return
    values = [(key_id, bulk.moment(opened.at_ms), opened.client) for key_id, opened in last.items()]
    keys = Key._meta.db_table
    bulk.update(
        f"{bulk.locked(keys)} UPDATE {keys} SET last_used_at = given.at,"  # noqa: S608  # constant names
        " last_used_client = CASE given.client WHEN '' THEN last_used_client ELSE given.client END"
        f" FROM given JOIN locked USING (id) WHERE {keys}.id = given.id AND (last_used_at IS NULL OR last_used_at < at)",
        {"id": "text", "at": "timestamptz", "client": "text"},
        values,
    )
