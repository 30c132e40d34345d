"""Holds one session: takes from whoever has said something what the other side has room for, in one task and in order."""

import asyncio
import logging
import traceback
from collections.abc import Callable

from gateway.errors import ClientGoneError, GatewayError, InternalError, RequestError, UnavailableError, UpstreamError
from gateway.realtime.books import SessionBooks
from gateway.realtime.purse import Over
from gateway.realtime.replies import clean, close_code, error_event, hung_up
from gateway.realtime.socket import ABNORMAL, NO_STATUS, NORMAL, Socket
from gateway.realtime.talk import Talk
from gateway.runtime import Runtime
from gateway.stages.scrub import scrubbed
from gateway.types import Call

log = logging.getLogger(__name__)

TICK_S = 1.0
PING_S, SILENT_S = 20.0, 45.0  # who is not heard for so long, though asked, is gone
MOST_AT_A_TIME, REST_S = 16, 0.001  # messages in a row, and the rest after them: others are served meanwhile
HEAR_S = 1.5  # how long the provider may take to say what a response used that was cut short


class Goodbye(Exception):
    """One side ended the session as it may. Nothing went wrong."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Session:
    """`run` returns when it is over. Whatever happens, everything that was reserved is settled, and both sides closed."""

    def __init__(
        self,
        call: Call,
        client: Socket,
        provider: Socket,
        books: SessionBooks,
        talk: Callable[["Session"], Talk],
        changed: asyncio.Event,
        runtime: Runtime,
    ) -> None:
        """`changed` is set when either socket has news."""
        self._call, self._client, self._provider, self._books = call, client, provider, books
        self._changed, self._runtime = changed, runtime
        self._loop = asyncio.get_running_loop()
        self._began = self._moved = self._pinged = self._loop.time()
        self._snapshot = runtime.snapshot
        self._heard_out = False  # the client gets nothing more
        self._credential = books.place.credential
        self._talk = talk(self)
        self._timer = self._loop.call_later(TICK_S, self._tick)

    # What the talk says.

    def up(self, event: bytes) -> None:
        """Send to the provider."""
        self._provider.send(event)

    def down(self, event: bytes) -> None:
        """Send to the client, without anything of our credential that a provider may quote in an error."""
        if not self._heard_out:
            self._client.send(clean(event, self._credential) if b'"error"' in event[:4096] else event)

    def complain(self, error: GatewayError, event_id: str | None) -> None:
        """Tell the client that an event was not passed on. Raises Over where it does not even read that."""
        if not self._client.writable:
            raise Over(error)
        if not self._heard_out:
            self._client.send(error_event(self._call, error, event_id))

    # The whole of it.

    async def run(self) -> None:
        """Relay until one side leaves, or the session has to end."""
        error: GatewayError | None = None
        code, reason = NORMAL, ""
        try:
            try:
                await self._relay()
            except Goodbye as goodbye:
                code, reason = goodbye.code, goodbye.reason
            except Over as over:
                error = over.error
            except GatewayError as failed:
                error = failed
            except Exception as defect:
                where = "".join(traceback.format_tb(defect.__traceback__))
                log.error("session %s failed by a defect: %s\n%s", self._call.request_id, type(defect).__name__, where)
                error = InternalError("The gateway failed on this session by a defect of its own. Connect again.")
            self._call.error = error
            if error is not None:
                code, reason = close_code(error), error.code
                self._client.send(error_event(self._call, error))
            await self._hear_out()
        finally:
            self._timer.cancel()
            self._settle(error)
            self._provider.close(NORMAL)
            self._client.close(code, reason)
            for side in (self._client, self._provider):
                side.forget()

    async def _relay(self) -> None:
        client, provider, talk = self._client, self._provider, self._talk
        passed = 0
        while True:
            self._changed.clear()
            moved = False
            if provider.inbox and client.writable:
                await talk.from_provider(provider.take())
                moved = True
            if client.inbox and talk.ready and provider.writable:
                await talk.from_client(client.take())
                moved = True
            if moved:
                self._moved = self._loop.time()
                passed += 1
                if passed % MOST_AT_A_TIME == 0:  # who never stops talking is ended all the same
                    self._look()
                    await self._call.watch.pause(asyncio.sleep(REST_S))
                continue
            self._look()
            await self._call.watch.pause(self._changed.wait())

    async def _hear_out(self) -> None:
        """Stop the responses under way, and listen a moment longer for what they used."""
        self._heard_out = True
        due = self._loop.time() + HEAR_S
        if self._talk.running:
            self._talk.cancel(self._call.error or hung_up())
        while self._talk.running and self._loop.time() < due:
            self._changed.clear()
            if self._provider.inbox:
                try:
                    await self._talk.from_provider(self._provider.take())
                except (GatewayError, Over):
                    return
            elif self._provider.closed:
                return
            else:
                self._loop.call_later(due - self._loop.time(), self._changed.set)
                await self._changed.wait()

    def _settle(self, error: GatewayError | None) -> None:
        """Settle what is open. Who hangs up on a model that thinks unseen is charged for all that it may have thought."""
        grant = self._call.grant
        thinks = grant is not None and "reasoning" in grant.model.capabilities
        left = error or hung_up()
        self._talk.end(left, whole=thinks and isinstance(left, ClientGoneError))

    # What ends it.

    def _look(self) -> None:
        """Raise what ends the session now, if anything does."""
        client, provider = self._client, self._provider
        if client.trouble is not None:
            code, why = client.trouble
            client.close(code, why)
            raise RequestError(f"The session ends because {why}.", code="invalid_message")
        if client.closed and not client.inbox:
            if client.close_code == ABNORMAL:
                raise hung_up()
            raise Goodbye(NORMAL)
        if (provider.closed or provider.trouble is not None) and not provider.inbox:
            raise self._left()
        now = self._loop.time()
        self._check_sides(now)
        self._check_session(now)

    def _left(self) -> Exception:
        """Return what the provider's leaving means: a goodbye is passed on, and anything else is an error."""
        code = self._provider.close_code
        if code == ABNORMAL or self._provider.trouble is not None:
            return UpstreamError(f"The provider {self._books.place.provider} broke off the session. Connect again.")
        reason = scrubbed({"reason": self._provider.close_reason}, self._credential)["reason"]
        return Goodbye(NORMAL if code == NO_STATUS else code, reason)

    def _check_sides(self, now: float) -> None:
        client, provider, limits = self._client, self._provider, self._runtime.limits
        if client.stalled_s(now) > limits.write_timeout_s:
            raise ClientGoneError("The client stopped reading.", code="client_stalled")
        if now - client.heard_at > SILENT_S:
            raise hung_up()
        if provider.stalled_s(now) > limits.write_timeout_s or now - provider.heard_at > SILENT_S:
            raise UpstreamError(
                f"The provider {self._books.place.provider} is not there any more. Connect again.",
                code="upstream_idle_timeout",
                status=504,
            )
        if not self._talk.ready and now - self._began > self._books.place.first_byte_timeout_s:
            raise UpstreamError(
                f"The provider {self._books.place.provider} took the connection and began no session. Connect again.",
                code="upstream_timeout",
                status=504,
            )
        if now - self._pinged > PING_S:
            self._pinged = now
            client.ping()
            provider.ping()

    def _check_session(self, now: float) -> None:
        runtime, limits = self._runtime, self._runtime.limits
        if (runtime.closing or self._client.draining) and not self._talk.running:
            raise UnavailableError(
                "The gateway process that holds this session has to stop. Connect again: another one answers.",
                code="shutting_down",
                retry_after_s=1,
            )
        if now - self._began > limits.session_s:
            raise UnavailableError(
                f"The session has lasted {limits.session_s / 60:g} minutes, the longest it may. Connect again.",
                code="session_expired",
            )
        if now - self._moved > limits.session_idle_s:
            raise UnavailableError(
                f"Nothing was said for {limits.session_idle_s / 60:g} minutes, so the session ends. Connect again.",
                code="session_idle",
            )
        if runtime.snapshot is not self._snapshot or self._books.expired():
            self._snapshot = runtime.snapshot
            self._books.grant()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._changed.set()
