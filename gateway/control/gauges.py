"""What can be looked up of a gateway process at any time, as metrics."""

import os
import resource
import sys
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.metrics import table
from gateway.metrics.values import OTHER, Values
from gateway.quotas.leases import LeaseState

if TYPE_CHECKING:
    from gateway.control.plane import ControlPlane

_STATES = {"closed": 0, "half-open": 1, "open": 2}
_STATM = Path("/proc/self/statm")


class Gauges:
    """Sets the gauges of one process."""

    def __init__(self, plane: "ControlPlane") -> None:
        self._plane = plane
        self._started_at = time.time()
        self._undrained: deque[tuple[float, int]] = deque()  # when (monotonic) the journal's end was seen where

    def __call__(self, values: Values) -> None:
        """Set them all, as they are now."""
        self._process(values)
        self._journal(values)
        self._leases(values)
        self._connections(values)
        self._ways(values)
        plane = self._plane
        runtime, snapshot = plane.runtime, plane.runtime.snapshot
        values.set(table.IN_FLIGHT, len(runtime.in_flight))
        values.set(table.SESSIONS, runtime.sessions.total())
        values.set(table.KEYS, len(runtime.key_ring))
        values.set(table.POLICY_VERSION, snapshot.version if snapshot else 0)
        values.set(table.POLICY_AGE, runtime.clock.monotonic() - runtime.fresh_at)
        values.set(table.STOPS, len(snapshot.stops) if snapshot else 0)
        values.set(table.RATES_DEGRADED, bool(getattr(runtime.rates, "degraded", False)))

    def _process(self, values: Values) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        values.set(table.PROCESSES, 1)
        values.set(table.STARTED, self._started_at)
        values.set(table.CPU, usage.ru_utime + usage.ru_stime)
        values.set(table.RSS, _resident_bytes(usage.ru_maxrss))

    def _journal(self, values: Values) -> None:
        journal, drain, now = self._plane.journal, self._plane.drain, time.monotonic()
        self._undrained.append((now, journal.end))
        while self._undrained and self._undrained[0][1] <= drain.offset:
            self._undrained.popleft()
        values.set(table.BACKLOG, max(0, journal.end - drain.offset))
        values.set(table.DRAIN_LAG, now - self._undrained[0][0] if self._undrained else 0.0)
        values.set(table.JOURNAL_DAMAGE, drain.alarms)
        values.set(table.JOURNAL_WARNING, bool(journal.warning))

    def _leases(self, values: Values) -> None:
        held: dict[tuple[str, str], float] = defaultdict(float)
        values.forget(table.LEASED)
        for name, store in (("money", self._plane.money), ("rates", self._plane.runtime.rates)):
            state = store.leases() if hasattr(store, "leases") else LeaseState((), 0, 0, 0)
            values.set(table.WAITING, state.waiting, name)
            values.set(table.WANTED, state.wanted, name)
            values.set(table.LEASE_WAITS, state.waits, name)
            for part in state.slices:
                unit = 1e-9 if part.quota.metric == "usd" else 1.0
                held[part.quota.metric, "used"] += part.reserved * unit
                held[part.quota.metric, "free"] += max(0, part.free) * unit
        for labels, amount in held.items():
            values.set(table.LEASED, amount, *labels)

    def _connections(self, values: Values) -> None:
        snapshot = self._plane.runtime.snapshot
        places = [place for model in snapshot.models.values() for place in model.deployments] if snapshot else []
        slugs = {place.provider_id: place.provider for place in places}
        values.forget(table.POOL)
        for provider_id, pool in self._plane.upstream.pools():
            provider = slugs.get(provider_id, OTHER)
            values.add(table.POOL, len(pool) - pool.idle, provider, "busy")
            values.add(table.POOL, pool.idle, provider, "idle")
            values.add(table.POOL, pool.waiting, provider, "waiting")

    def _ways(self, values: Values) -> None:
        """Say what is out, and how often calls went another way."""
        runtime = self._plane.runtime
        health, now = runtime.health, runtime.clock.monotonic()
        values.forget(table.BREAKER)
        values.forget(table.CREDENTIAL_OUT)
        for vitals in health.vitals():
            state = _STATES[vitals.breaker.state(now)]
            values.set(table.BREAKER, state, vitals.place.provider, vitals.place.id)
        for outage in health.outages():
            values.set(table.CREDENTIAL_OUT, bool(outage.breaker.opened), outage.place.provider)
        for metric, counted in ((table.RETRIES, health.retries), (table.FALLBACKS, health.fallbacks)):
            for labels, number in list(counted.items()):
                values.set(metric, number, *labels)
        values.set(table.CANARIES_STOPPED, sum(tally.stopped for tally in runtime.canaries.tallies.values()))


def _resident_bytes(highest: int) -> int:
    """Return the memory in use; where that is not told, the most that was (`highest`, in the system's unit)."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return highest if sys.platform == "darwin" else highest * 1024
