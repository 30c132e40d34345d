"""Knows when a process has more to do than it can: what has arrived waits too long for its turn."""

from gateway.errors import UnavailableError

STANDING_S = 0.1  # a wait that long is standing, not a hiccup
RECENT_S = 1.0


class Congestion:
    """Refuses every second call while calls wait longer than `bound_s`, and have done so for a while (as CoDel, RFC 8289).

    Every second and no more: a refusal costs about a fifth of a call, so that four fifths of the time still go to
    calls that are served. Who refuses more under more load serves nobody in the end.
    """

    __slots__ = ("_bound_s", "_last", "_odd", "_since")

    def __init__(self, bound_s: float) -> None:
        self._bound_s = bound_s
        self._since = 0.0  # monotonic: since when every call has waited too long; 0: one did not
        self._last = 0.0
        self._odd = False

    def waited(self, seconds: float, now: float) -> None:
        """Take note of how long a call waited from its arrival to its first step. `now`: monotonic seconds."""
        self._last = now
        if seconds <= self._bound_s:
            self._since = 0.0
        elif not self._since:
            self._since = now

    def check(self, now: float) -> None:
        """Raise UnavailableError if the call that arrives `now` is one to refuse."""
        if self._since and self._last - self._since > STANDING_S and now - self._last < RECENT_S:
            self._odd = not self._odd
            if self._odd:
                raise UnavailableError(
                    "This gateway process has more to do than it can. Try again shortly: another one may answer.",
                    code="overloaded",
                    retry_after_s=1,
                )
