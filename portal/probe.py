"""Asks a store whether it answers: once a second at most, one question at a time, and nobody waits long for it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

ASK_EVERY_S = 1.0
SLOW_S = 0.25
WAIT_S = 0.5  # the longest that a health check waits for a store


@dataclass(frozen=True, slots=True)
class Finding:
    """What a store answered: `ms` is how long that took, None while it says nothing."""

    ok: bool
    ms: int | None
    since: float  # monotonic: since when it is as it is

    @property
    def slow(self) -> bool:
        return self.ok and self.ms is not None and self.ms > SLOW_S * 1000


class Probe:
    """Looks at one store. `ask` raises anything when the store does not answer; it may take as long as it likes."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._finding = Finding(True, None, monotonic())

    async def look(self) -> Finding:
        """Return how the store is; never older than a second or two."""
        now = monotonic()
        if self._asking is None and now - self._asked_at >= ASK_EVERY_S:
            self._asked_at = now
            self._asking = asyncio.create_task(self._run(now))
        if self._asking is not None and now - self._asked_at < WAIT_S:
            await asyncio.wait([self._asking], timeout=WAIT_S)
        if self._asking is not None and monotonic() - self._asked_at >= WAIT_S:
            self._found(False, None)
        return self._finding

    async def _run(self, began: float) -> None:
        try:
            await self._ask()
        except Exception:  # whatever is wrong, the answer is no
            self._found(False, None)
        else:
            self._found(True, round((monotonic() - began) * 1000))
        finally:
            self._asking = None

    def _found(self, ok: bool, ms: int | None) -> None:
        since = self._finding.since if ok == self._finding.ok else monotonic()
        self._finding = Finding(ok, ms, since)
