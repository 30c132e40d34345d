"""Everything a call needs besides itself, in one object: no globals, and each part has an in-memory version for tests."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from gateway.credentials.ways import Credentials
from gateway.errors import UnavailableError
from gateway.journal.records import Record
from gateway.kept.store import KeptStore, Nowhere
from gateway.keyring import KeyRing
from gateway.quotas.interface import MoneyStore, RateStore
from gateway.routing.canaries import Canaries
from gateway.routing.health import Health
from gateway.snapshot import Snapshot
from gateway.tokens import Countable
from gateway.types import Call, CallLine
from gateway.upstream import Upstream

LOOK_S = 0.02  # how often it is looked whether calls have ended, when the process stops
CUT_WITHIN_S = 3.0  # for a call that was cut off to be recorded


class Clock(Protocol):
    """Time, passed in so that tests can move it."""

    def now(self) -> float:
        """Return epoch seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, as the event loop's timers count them."""
        ...


class SystemClock:
    """The clock of this machine."""

    now: ClassVar = staticmethod(time.time)
    monotonic: ClassVar = staticmethod(time.monotonic)


class Journal(Protocol):
    """Where usage is written before and after each dial. Raises `gateway.journal.frames.JournalError`."""

    def append(self, *records: Record) -> asyncio.Future[None] | None:
        """Write the records as one entry. Returns None when it is as durable as this journal makes it.

        Else a future that is done once it is; it raises JournalError when it never will be.
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens where a provider does not say; `gateway.tokens` has the real one."""

    async def count(self, texts: Iterable[str], encoding: str) -> int:
        """Return the number of tokens of all `texts`. Works off the loop."""
        ...

    async def count_prompt(self, prompt: Countable, encoding: str) -> int:
        """Return the number of tokens of a request's prompt. Works off the loop."""
        ...


class Observer(Protocol):
    """What watches calls: the structured log, metrics, alarms. Must return at once and never raise."""

    def call_ended(self, line: CallLine) -> None:
        """Take the one line of a call that ended."""
        ...

    def alarm(self, code: str, subject: str) -> None:
        """Take note of something an operator must look at; `subject` is an id."""
        ...


class Unobserved:
    """An observer that keeps nothing."""

    def call_ended(self, line: CallLine) -> None:
        """Drop the line."""

    def alarm(self, code: str, subject: str) -> None:
        """Drop the alarm."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for every call. Bytes, seconds, counts."""

    max_body_bytes: int = 26 << 20  # OpenAI takes recordings of 25 MiB
    max_held_bytes: int = 512 << 20  # of all bodies that this process holds at a time
    max_response_bytes: int = 32 << 20
    max_in_flight: int = 4_000
    max_connections: int = 8_000
    max_head_bytes: int = 64 << 10  # of a request, and of what follows its body
    max_target_bytes: int = 8 << 10
    max_headers: int = 128
    max_lag_s: float = 0.05  # calls that wait longer for their first step show that the process is overloaded
    head_s: float = 8.0  # from accept or a request's first byte to the end of its head
    keep_alive_s: float = 75.0  # longer than a load balancer keeps a connection, so that it is not us who close first
    body_idle_s: float = 10.0  # between two pieces of a request's body
    body_min_bytes_s: int = 4_096  # what a request must have gained for each second beyond `head_s`
    body_s: float = 120.0  # from a request's first byte to its last
    write_timeout_s: float = 60.0  # a client that does not read
    disconnect_after_s: float = 0.25  # how long a call waits upstream before we listen for a hang-up
    max_sessions: int = 1_000  # over WebSocket
    max_event_bytes: int = 8 << 20  # of one message of such a client
    session_s: float = 3_600.0  # OpenAI ends its sessions then, too
    session_idle_s: float = 900.0  # without a message from either side
    stale_max_s: float = 120.0  # how old the snapshot and the ring may grow


@dataclass(slots=True)
class Runtime:
    """One per process. The control plane replaces `snapshot` and moves `fresh_at`; requests only read them."""

    key_ring: KeyRing
    money: MoneyStore
    rates: RateStore
    journal: Journal
    upstream: Upstream
    tokens: TokenCounter
    incarnation: str
    snapshot: Snapshot | None = None
    fresh_at: float = 0.0  # monotonic seconds of the last successful look at the change feed
    clock: Clock = field(default_factory=SystemClock)
    limits: Limits = field(default_factory=Limits)
    observer: Observer = field(default_factory=Unobserved)
    choose: Callable[[], float] = random.random  # in [0, 1): picks among weighted deployments
    health: Health = field(default_factory=Health)  # of deployments
    canaries: Canaries = field(default_factory=Canaries)
    kept: KeptStore = field(default_factory=Nowhere)  # what providers keep, and whose it is
    closing: bool = False
    held_bytes: int = 0  # of bodies, as the front counts them
    sessions: Counter[str] = field(default_factory=Counter)  # over WebSocket, open now, by key
    in_flight: dict[asyncio.Task[Any], Call] = field(default_factory=dict)
    credentials: Credentials = field(init=False)
    _chores: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.credentials = Credentials(
            self.upstream,
            lambda: self.clock.now(),
            lambda: self.clock.monotonic(),
            lambda code, subject: self.observer.alarm(code, subject),
        )

    def ready_snapshot(self) -> Snapshot:
        """Return the snapshot. Raises UnavailableError before the first one, and once it is too old to trust."""
        snapshot = self.snapshot
        if snapshot is None:
            raise UnavailableError(
                "The gateway is starting and has not read its configuration yet. Try again in a second.",
                retry_after_s=1,
            )
        age_s = self.clock.monotonic() - self.fresh_at
        if age_s > self.limits.stale_max_s:
            raise UnavailableError(
                f"The gateway could not reach its database for {age_s:.0f} seconds and no longer knows which keys are "
                f"valid. Calls resume by themselves within seconds once it can; tell your platform team if this lasts.",
                code="stale",
                retry_after_s=5,
            )
        return snapshot

    def admit(self, more: int = 0) -> None:
        """Raise UnavailableError when this process takes no more calls. `more`: calls that are not in flight yet."""
        if self.closing:
            raise _stopping("This gateway process is stopping. Try again: another one answers.")
        if len(self.in_flight) + more > self.limits.max_in_flight:
            raise UnavailableError(
                f"The gateway already serves {self.limits.max_in_flight} calls, the most it takes. Try again shortly.",
                code="overloaded",
                retry_after_s=1,
            )

    def later(self, chore: Coroutine[Any, Any, Any]) -> None:
        """Run something that no client waits for; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def close(self, deadline_s: float = 30.0) -> None:
        """Take no new calls, let those in flight end within `deadline_s`, cut the rest off, and close the connections."""
        self.closing = True
        await self._settled(deadline_s)
        for call in tuple(self.in_flight.values()):
            call.watch.end(
                _stopping("The gateway process that served this call had to stop. Try again: another one answers.")
            )
        await self._settled(CUT_WITHIN_S)
        for task in tuple(self.in_flight):
            task.cancel()
        await self._settled(CUT_WITHIN_S)
        self.credentials.close()
        await self.upstream.close()

    async def _settled(self, deadline_s: float) -> None:
        until = self.clock.monotonic() + deadline_s
        while (self.in_flight or self._chores) and self.clock.monotonic() < until:  # noqa: ASYNC110 - they know no event
            await asyncio.sleep(LOOK_S)


def _stopping(message: str) -> UnavailableError:
    return UnavailableError(message, code="shutting_down", retry_after_s=1)
