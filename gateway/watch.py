"""Ends a call that waits too long for either side, or whose client has hung up.

One lazy timer a call instead of a task or a timeout each: a deadline is moved by an assignment, and who hangs up is
listened for only once a call has waited for its provider a moment. When the time comes, the task that serves the call
is cancelled inside the wait in question, and nowhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.errors import ClientGoneError, GatewayError, SlowRequestError, UpstreamError

T = TypeVar("T")

NEVER = float("inf")


class Watch:
    """The waits of one call. `waited_s` adds them up: the rest of a call's time is the gateway's own."""

    __slots__ = (
        "_cut_by",
        "_disconnect_after_s",
        "_due",
        "_end_by",
        "_gone",
        "_late",
        "_listen_at",
        "_listener",
        "_loop",
        "_monotonic",
        "_task",
        "_timer",
        "_timer_at",
        "total_due",
        "waited_s",
    )

    def __init__(
        self,
        task: asyncio.Task[Any],
        monotonic: Callable[[], float],
        gone: Callable[[], Awaitable[None]],
        disconnect_after_s: float,
    ) -> None:
        """Watch the task that serves the call. `gone` returns when the client has hung up; asked after the first dial only."""
        self._task = task
        self._loop = task.get_loop()
        self._monotonic = monotonic
        self._gone = gone
        self._disconnect_after_s = disconnect_after_s
        self._listen_at = NEVER
        self._listener: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._due = NEVER
        self._late: Callable[[], GatewayError] | None = None  # None: not waiting, never to be cut
        self._cut_by: GatewayError | None = None
        self._end_by: GatewayError | None = None
        self.total_due = NEVER  # monotonic: no wait for the provider goes on longer
        self.waited_s = 0.0

    # These hand out the coroutine of `_wait` itself: one frame fewer for each wait of each call.

    def upstream(self, wait: Awaitable[T], timeout_s: float, begun: bool = False) -> Coroutine[Any, Any, T]:
        """Wait for the provider. Raises UpstreamError (504) after `timeout_s`, ClientGoneError on a hang-up.

        `begun`: it has said something already, and what is waited for is more.
        """
        now = self._monotonic()
        if self._listen_at is NEVER and self._listener is None:
            self._listen_at = now + self._disconnect_after_s
        due = now + timeout_s
        if due < self.total_due:
            return self._wait(wait, now, due, _provider_stalled if begun else _provider_late)
        return self._wait(wait, now, self.total_due, _provider_slow)

    def pause(self, wait: Awaitable[T]) -> Coroutine[Any, Any, T]:
        """Wait before another attempt. Raises ClientGoneError on a hang-up."""
        return self._wait(wait, self._monotonic(), NEVER, _provider_late)

    def body(self, wait: Awaitable[T], timeout_s: float) -> Coroutine[Any, Any, T]:
        """Wait for the request's body. Raises SlowRequestError `timeout_s` after the last `extend`."""
        now = self._monotonic()
        return self._wait(wait, now, now + timeout_s, _body_late)

    def client(self, wait: Awaitable[T], timeout_s: float) -> Coroutine[Any, Any, T]:
        """Wait for the client to take bytes. Raises ClientGoneError after `timeout_s`, or on a hang-up."""
        now = self._monotonic()
        return self._wait(wait, now, now + timeout_s, _client_late)

    def extend(self, timeout_s: float) -> None:
        """Move the deadline of the wait under way: the other side is getting on with it."""
        self._due = self._monotonic() + timeout_s

    def end(self, by: GatewayError) -> None:
        """End the wait under way, or the next one, by this error."""
        self._end_by = by
        if self._late is not None:
            self._cut(by)

    def ignore_client(self) -> None:
        """Listen for a hang-up no longer: the client has everything."""
        if self._listener is not None:
            self._listener.cancel()
            self._listener = None
        self._disconnect_after_s = NEVER

    def stop(self) -> None:
        """Let go of the timer and of the listener."""
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()

    async def _wait(self, wait: Awaitable[T], began: float, due: float, late: Callable[[], GatewayError]) -> T:
        self._late, self._due = late, due
        look_at = due if due < self._listen_at else self._listen_at
        if self._end_by is not None or (self._listener is not None and self._listener.done()):
            look_at = began
        if look_at < self._timer_at:
            self._arm(look_at, began)
        try:
            return await wait
        except asyncio.CancelledError:
            cut_by, self._cut_by = self._cut_by, None
            if cut_by is None:
                raise
            self._task.uncancel()
            raise cut_by from None
        finally:
            self._late = None
            self.waited_s += self._monotonic() - began

    def _arm(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(0.0, at - now), self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, NEVER
        if self._late is None:
            return  # the next wait arms it anew
        now = self._monotonic()
        if self._end_by is not None:
            self._cut(self._end_by)
        elif self._listener is not None and self._listener.done():
            self._cut(_hung_up())
        elif now >= self._due:
            self._cut(self._late())
        else:
            if self._listener is None and now >= self._listen_at:
                self._listener = asyncio.ensure_future(self._listen())
                self._listen_at = NEVER
            look_at = min(self._due, self._listen_at)
            if look_at < NEVER:
                self._arm(look_at, now)

    async def _listen(self) -> None:
        await self._gone()
        if self._late is not None:
            self._cut(_hung_up())

    def _cut(self, by: GatewayError) -> None:
        if self._cut_by is None:
            self._cut_by, self._end_by = by, None
            self._task.cancel()


def _provider_late() -> GatewayError:
    return UpstreamError(
        "The provider did not answer in time, so the gateway gave up. Try again, ask for a shorter answer, or stream it.",
        code="upstream_timeout",
        status=504,
    )


def _provider_stalled() -> GatewayError:
    return UpstreamError(
        "The provider began to answer, then said nothing for too long, so the gateway gave up. Try again.",
        code="upstream_idle_timeout",
        status=504,
    )


def _provider_slow() -> GatewayError:
    return UpstreamError(
        "The provider's answer took longer than a call may in all, so the gateway gave up. Ask for a shorter answer.",
        code="upstream_total_timeout",
        status=504,
    )


def _body_late() -> GatewayError:
    return SlowRequestError("The request's body did not arrive in time. Check the connection and send it again.")


def _client_late() -> GatewayError:
    return ClientGoneError("The client stopped reading.", code="client_stalled")


def _hung_up() -> GatewayError:
    return ClientGoneError("The client hung up.")
