"""Says what happens to calls: one JSON line each, metrics, alarms. The request path only collects."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

import msgspec

from gateway.metrics import table
from gateway.metrics.calls import CallCounts
from gateway.metrics.folder import SharedMetrics
from gateway.metrics.values import Values, exposition
from gateway.snapshot import Snapshot
from gateway.types import CallLine

log = logging.getLogger(__name__)
calls = logging.getLogger("atrium.calls")
alarms = logging.getLogger("atrium.alarms")

TICK_S = 0.1
SHARE_EVERY = 10  # ticks
BATCH = 100  # lines worked off without letting calls on: about half a millisecond

_encoder = msgspec.json.Encoder()


class Observing:
    """The `Observer` of a gateway process. `run` is a task; `flush` works off what is left."""

    def __init__(
        self, snapshot: Callable[[], Snapshot | None], gauges: Callable[[Values], None], shared: SharedMetrics
    ) -> None:
        """`gauges` sets what can be looked up at any time; `shared` is this process's place among the others."""
        self.values = Values()
        self._counts = CallCounts(self.values)
        self._snapshot, self._gauges, self._shared = snapshot, gauges, shared
        self._lines: deque[CallLine] = deque()

    def call_ended(self, line: CallLine) -> None:
        """See `Observer.call_ended`."""
        self._lines.append(line)

    def alarm(self, code: str, subject: str) -> None:
        """See `Observer.alarm`."""
        self.values.add(table.ALARMS, 1, code)
        alarms.error("%s %s", code, subject)

    async def run(self) -> None:
        """Run until cancelled."""
        ticks, due, failed = 0, monotonic(), 0
        while True:
            due = max(due + TICK_S, monotonic())
            await asyncio.sleep(due - monotonic())
            self.values.observe(table.LOOP_LAG, (max(0.0, monotonic() - due),))
            ticks += 1
            try:
                await self._work_off()
                if ticks % SHARE_EVERY == 0:
                    await self._share()
            except Exception:
                failed += 1
                if failed in {1, 100} or failed % 10_000 == 0:
                    log.exception("calls are served, and not counted as they should be (%d times)", failed)

    def flush(self) -> None:
        """Log and count what is left, at the end of the process."""
        while self._lines:
            self._take_some()

    async def leave(self) -> None:
        """Leave what was counted to the processes that go on."""
        self.flush()
        self._gauges(self.values)
        with suppress(OSError):
            await asyncio.to_thread(self._shared.leave, self.values.copy())

    async def exposition(self, down: Mapping[str, bool]) -> bytes:
        """Return the metrics of all processes on this machine in Prometheus's text format. `down`: stores that are silent."""
        await self._work_off()
        self._gauges(self.values)
        values = self.values.copy()
        try:
            values = await asyncio.to_thread(self._shared.read, values)
        except OSError as error:
            log.error("metrics of other processes cannot be read: %s", error)
        for store, silent in down.items():  # as this process finds it now
            values.set(table.STORE_DOWN, silent, store)
        return exposition(values)

    async def _work_off(self) -> None:
        while self._lines:
            self._take_some()
            await asyncio.sleep(0)

    def _take_some(self) -> None:
        lines = [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]
        if calls.isEnabledFor(logging.INFO):
            calls.info("%s", _encoder.encode_lines(lines).decode().rstrip("\n"))
        self._counts.count(lines, self._snapshot())

    async def _share(self) -> None:
        self._gauges(self.values)
        try:
            await asyncio.to_thread(self._shared.write, self.values.copy())
        except OSError as error:
            log.error("metrics cannot be shared with other processes: %s", error)
