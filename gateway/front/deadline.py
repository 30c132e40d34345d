"""When a connection is given up: one lazy timer each, because a deadline moves with every request."""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Moving the deadline later costs an assignment; the timer finds out when it fires too early."""

    __slots__ = ("_at", "_late", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop = loop
        self._late = late
        self._at = self._timer_at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> None:
        """Set the deadline, counted from now."""
        self.at(self._loop.time() + seconds)

    def at(self, time: float) -> None:
        """Set the deadline, in the loop's time."""
        self._at = time
        if time < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = time
            self._timer = self._loop.call_at(time, self._fire)

    def clear(self) -> None:
        """Set no deadline."""
        self._at = NEVER

    def stop(self) -> None:
        """Let go of the timer, for good."""
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        self._timer, self._timer_at = None, NEVER
        if self._at is NEVER:
            return
        if self._loop.time() < self._at:
            self.at(self._at)
        else:
            self.clear()
            self._late()
