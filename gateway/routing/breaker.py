"""A circuit breaker: too many failures of late keep calls away for a while, that grows until one of them succeeds again.

    closed ──(enough failures, too large a share)──► open ──(time is up)──► half-open: one call tries
       ▲                                              ▲                          │
       │                                              └──────── it fails ────────┤
       └───────────────────────────────────────────────────── it succeeds ───────┘

Pure: times are seconds of one clock that never goes back, and are passed in.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "half-open", "open"]
Cause = Literal["", "failing", "unreachable", "credential"]

LONGEST_COOLING_S = 60.0  # what is believed of a provider's retry-after
TRY_WITHIN_S = 60.0  # then a try whose end was never told is forgotten


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens, and for how long. Seconds, counts, a share."""

    window_s: float = 15.0  # failures of this one and of the one before count
    least_failures: int = 5
    share: float = 0.5
    open_s: float = 5.0
    longest_s: float = 120.0


PLACE = Rules()
CREDENTIAL = Rules(open_s=30.0, longest_s=600.0)


class Breaker:
    """Counts calls of one place (or what one credential reaches), and says whether more may go there."""

    __slots__ = (
        "_calls",
        "_failures",
        "_past_calls",
        "_past_failures",
        "_rules",
        "_trying_until",
        "_window_ends",
        "awaits_claim",
        "cause",
        "cooling_until",
        "opened",
        "since",
        "until",
    )

    def __init__(self, rules: Rules = PLACE) -> None:
        self._rules = rules
        self._calls = self._failures = self._past_calls = self._past_failures = 0
        self._window_ends = 0.0
        self._trying_until = 0.0
        self.awaits_claim = False  # another process may be trying: this one has to be told that it is its turn
        self.cause: Cause = ""  # why it is open
        self.cooling_until = 0.0  # the provider asked to be left alone until then; it works, though
        self.opened = 0  # times in a row; 0: closed
        self.since = 0.0  # when the first of them was
        self.until = 0.0  # calls are kept away until then

    def state(self, now: float) -> State:
        """Say how it stands."""
        if not self.opened:
            return "closed"
        return "half-open" if now >= self.until else "open"

    def lets(self, now: float) -> bool:
        """Say whether a call may go. Half-open, only one may: `begin` takes its place."""
        if not self.opened:
            return now >= self.cooling_until
        return now >= self.until and now >= self._trying_until and not self.awaits_claim

    def begin(self, now: float) -> None:
        """A call goes out."""
        if self.opened:
            self._trying_until = now + TRY_WITHIN_S

    def succeed(self, now: float) -> bool:
        """A call succeeded. Returns whether that closed the breaker."""
        if now >= self._window_ends:
            self._turn(now)
        self._calls += 1
        if not self.opened:
            return False
        self.close()
        return True

    def forgo(self) -> None:
        """A call ended in a way that says nothing about the place."""
        self._trying_until = 0.0

    def fail(self, now: float, cause: Cause) -> bool:
        """A call failed. Returns whether that opened the breaker."""
        if now >= self._window_ends:
            self._turn(now)
        self._calls += 1
        self._failures += 1
        if self.opened:
            if now < self.until:  # it went out before, or for lack of anything better
                return False
        else:
            failures, rules = self._failures + self._past_failures, self._rules
            if failures < rules.least_failures or failures < rules.share * (self._calls + self._past_calls):
                return False
        self.open(now, cause)
        return True

    def open(self, now: float, cause: Cause) -> None:
        """Keep calls away: each time in a row for twice as long."""
        rules = self._rules
        if not self.opened:
            self.since = now
        self.until = now + min(rules.longest_s, rules.open_s * 2.0 ** min(self.opened, 16))
        self.opened += 1
        self.cause = cause
        self._trying_until = 0.0
        self.awaits_claim = False

    def cool(self, now: float, wait_s: float) -> None:
        """Leave the place alone for as long as its provider asked, within reason."""
        self.cooling_until = max(self.cooling_until, now + min(wait_s, LONGEST_COOLING_S))

    def try_now(self, now: float) -> None:
        """Let the next call try: something else has shown that it may work again."""
        if self.opened:
            self.until = min(self.until, now)
            self._trying_until = 0.0
            self.awaits_claim = False

    def close(self) -> None:
        """Let every call go again, and forget what failed."""
        self._calls = self._failures = self._past_calls = self._past_failures = 0
        self._trying_until = self.until = self.cooling_until = self.since = 0.0
        self.opened, self.cause, self.awaits_claim = 0, "", False

    def _turn(self, now: float) -> None:
        """Begin another window; the one before counts on, unless nothing happened for longer."""
        recent = now < self._window_ends + self._rules.window_s
        self._past_calls, self._past_failures = (self._calls, self._failures) if recent else (0, 0)
        self._calls = self._failures = 0
        self._window_ends = now + self._rules.window_s
