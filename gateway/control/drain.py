"""Moves the journal into the database: pairs each opened entry with its end, and hands them to billing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db.models import F, Q

from billing import escrow
from billing.ingest import Attempt, Ingested, ingest
from billing.models import JournalOffset, UsageEvent
from gateway.journal.frames import JournalDamagedError
from gateway.journal.reader import JournalReader, recoverable
from gateway.journal.records import Opened, Record
from portal.keys.models import Key

log = logging.getLogger(__name__)

BATCH = 1000


@dataclass(slots=True)
class Drain:
    """Drains one journal. `step` is called on a database thread; `heard` is told what moved."""

    reader: JournalReader
    heard: Callable[[Ingested], None] = lambda _: None
    alarms: int = 0
    offset: int = 0
    _open: dict[tuple[str, int], tuple[Opened, int]] = field(default_factory=dict)
    _started: bool = False

    def step(self) -> int:
        """Move up to a batch of entries; returns how many were read. Raises DatabaseError, and is then simply called again."""
        self._start()
        records = self._read()
        if not records:
            return 0
        still_open = dict(self._open)
        attempts, offset = self._pair(records, still_open)
        safe = min((at for _, at in still_open.values()), default=offset)
        done = ingest(self.reader.incarnation, attempts, str(safe))
        self._open, self.offset = still_open, offset
        self.heard(done)
        mark_keys_used(done.inserted)
        self.reader.discard(safe)
        return len(records)

    def finish(self) -> None:
        """Charge what was opened and never closed, free the leases: the journal's process is dead, its lock is ours."""
        while self.step():
            pass
        lost = [Attempt(opened, None) for opened, _ in self._open.values()]
        ingest(self.reader.incarnation, lost, str(self.offset), finished=True)
        escrow.free_all(self.reader.incarnation)
        if lost:
            log.warning(
                "journal %s: %d attempts had no end and are charged as estimated", self.reader.incarnation, len(lost)
            )

    def _start(self) -> None:
        if not self._started:
            kept = (
                JournalOffset.objects.filter(incarnation=self.reader.incarnation)
                .values_list("position", flat=True)
                .first()
            )
            self.offset, self._started = int(kept or 0), True

    def _read(self) -> list[tuple[Record, int]]:
        try:
            return self.reader.read(self.offset, BATCH)
        except JournalDamagedError as error:
            self.alarms += 1
            log.error("usage may be lost: %s", error)
            self.offset = self.reader.skip_damage(self.offset + 1)
            return self.reader.read(self.offset, BATCH)

    def _pair(
        self, records: list[tuple[Record, int]], still_open: dict[tuple[str, int], tuple[Opened, int]]
    ) -> tuple[list[Attempt], int]:
        attempts, start, end = [], self.offset, self.offset
        for record, after in records:
            if after != end:  # entries that were appended together share one place
                start, end = end, after
            name = (record.request_id, record.attempt)
            if isinstance(record, Opened):
                still_open[name] = (record, start)
            elif (opened := still_open.pop(name, None)) is not None:
                attempts.append(Attempt(opened[0], record))
            # An end without its beginning was drained before: the offset stood at an older entry that was still open.
        return attempts, end


def recover(directory: Path) -> list[str]:
    """Drain every journal that a dead process left in `directory`, and free its leases; returns their names."""
    recovered = []
    for journal in recoverable(directory):
        try:
            Drain(journal.reader).finish()
        except BaseException:
            journal.release()
            raise
        journal.remove()
        recovered.append(journal.incarnation)
    return recovered


def mark_keys_used(events: tuple[UsageEvent, ...]) -> None:
    """Note when, and from which client, each key was last used."""
    last: dict[str, tuple[datetime, str]] = {}
    for event in events:
        if event.key_id not in last or event.at >= last[event.key_id][0]:
            last[event.key_id] = (event.at, event.client)
    for key_id, (at, client) in last.items():
        newer = Q(last_used_at__isnull=True) | Q(last_used_at__lt=at)
        Key.objects.filter(newer, pk=key_id).update(last_used_at=at, last_used_client=client or F("last_used_client"))
