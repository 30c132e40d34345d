"""The books of one session: each allowance is an attempt of its own, authorised, reserved and journaled before it is used."""

import dataclasses

from msgspec.structs import replace

from gateway.endpoints import REALTIME, Endpoint
from gateway.errors import GatewayError, PolicyError, UnavailableError
from gateway.quotas.interface import Demand, Remaining, Reservation
from gateway.quotas.slices import windows_of
from gateway.realtime.allowances import Allowance, Moment
from gateway.realtime.held import Bound, most
from gateway.routing.bounds import Bounds
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.authenticate import admitted, authenticate, recognised
from gateway.stages.authorise import authorise
from gateway.stages.call import opened, until_durable
from gateway.stages.limit import asks_of, plan_of, refusal, take
from gateway.stages.meter import cost
from gateway.stages.record import close_apart, release
from gateway.types import Attempt, Call, Grant, ParsedRequest, Reserved, Usage

# What is heard is transcribed by a model of its own, at that model's price; it is named within a session, not called at a path.
TRANSCRIPTION = dataclasses.replace(REALTIME, capability="transcription")
MOST_RESPONSES = 5_000  # of a session, transcriptions and refused ones included: each is an entry in the journal
_NOTHING = Usage()


class SessionBooks:
    """See `gateway.realtime.allowances.Books`."""

    def __init__(
        self,
        call: Call,
        endpoint: Endpoint,
        request: ParsedRequest,
        place: DeploymentPolicy,
        bounds: Bounds,
        runtime: Runtime,
    ) -> None:
        """`endpoint` says what the model must be able to do; `request` names the model, and `place` serves it."""
        self._call, self._endpoint, self._request = call, endpoint, request
        self.place, self._bounds, self._runtime = place, bounds, runtime

    def grant(self) -> tuple[Grant, DeploymentPolicy]:
        """Return what is allowed now, and the place of this session as it is now.

        Keys expire, exceptions end and models are stopped while a session lasts. Raises as `admitted` and `authorise` do.
        """
        call, runtime = self._call, self._runtime
        snapshot, now = runtime.ready_snapshot(), runtime.clock.now()
        if call.principal is None:
            raise RuntimeError("a session has a principal")
        principal = admitted(call.principal.key, snapshot, now)
        grant = authorise(self._endpoint, principal, self._request, snapshot, now, self._bounds)
        place = next((one for one in grant.places if one.id == self.place.id), None)
        if place is None:
            raise UnavailableError(
                f'The deployment of the model "{grant.model.slug}" that serves this session is not in use any more. '
                "Connect again: another one may answer.",
                code="model_unavailable",
            )
        return grant, place

    def expired(self) -> bool:
        """Say whether the key's time is over, which no change of the configuration tells."""
        principal, now = self._call.principal, self._runtime.clock.now()
        return principal is not None and min(principal.key.expires_at, principal.key.secret_valid_until) <= now

    def beside(self, model: str) -> "SessionBooks":
        """Return the books of another model, which transcribes what is heard, at the same provider and on this call.

        Raises as `authorise` does, and PolicyError (403) where the provider does not serve it.
        """
        call, runtime = self._call, self._runtime
        snapshot, now = runtime.ready_snapshot(), runtime.clock.now()
        if call.principal is None:
            raise RuntimeError("a session has a principal")
        request = replace(self._request, model=model)
        grant = authorise(TRANSCRIPTION, call.principal, request, snapshot, now, self._bounds)
        place = next((one for one in grant.places if one.provider_id == self.place.provider_id), None)
        if place is None:
            raise PolicyError(
                f'The model "{model}" is not served by {self.place.provider}, which holds this session and transcribes itself. '
                "Name one that is, or leave the transcription out.",
                code="endpoint_not_supported",
                param="session.audio.input.transcription.model",
            )
        request = replace(request, model=grant.model.slug)
        return SessionBooks(call, TRANSCRIPTION, request, place, self._bounds, runtime)

    async def open(self, bound: Bound) -> Allowance:
        """See `Books.open`. What the key may do may have changed since the session began."""
        if len(self._call.attempts) >= MOST_RESPONSES:
            raise UnavailableError(
                f"This session has asked for {MOST_RESPONSES:,} responses, the most of one session. Connect again.",
                code="session_expired",
            )
        call, runtime = self._call, self._runtime
        snapshot = runtime.ready_snapshot()
        call.principal = recognised(call, snapshot, runtime) or await authenticate(call, snapshot, runtime)
        grant, place = self.grant()
        demand = Demand(1, bound.input, bound.output, most(grant.price_of(place), bound))
        rates, money = asks_of(plan_of(grant.principal, grant.snapshot, grant.model.id), demand)
        rates = [
            ask for ask in rates if ask[0].metric != "concurrent"
        ]  # the session holds a place, whatever is said in it
        taken = await take(rates, money, self._runtime)
        if isinstance(taken, Remaining):
            raise refusal(taken, demand, grant, self._runtime.clock.now())
        return await self._opened(bound, grant, place, Reserved(demand, taken))

    def overdraw(self, bound: Bound) -> Allowance:
        """See `Books.overdraw`. Nothing is held, and what it costs is charged all the same."""
        call, runtime = self._call, self._runtime
        grant = call.grant
        if grant is None:
            raise RuntimeError("a session has a grant")
        price = grant.price_of(self.place)
        call.reserved = Reserved(Demand(1, bound.input, bound.output, most(price, bound)), Reservation())
        attempt, _ = opened(call, grant, self.place, runtime)
        runtime.observer.alarm("not_reserved", call.request_id)
        return Allowance(bound, attempt)

    def note(self, allowance: Allowance, what: Moment) -> None:
        """See `Books.note`."""
        attempt: Attempt = allowance.account
        now = self._runtime.clock.monotonic()
        if what == "began":
            attempt.started, attempt.served = now, True
        else:
            attempt.first_byte = now

    def close(
        self, allowance: Allowance, usage: Usage, *, estimated: bool = False, error: GatewayError | None = None
    ) -> None:
        """See `Books.close`."""
        attempt: Attempt = allowance.account
        attempt.usage, attempt.estimated, attempt.error = usage, estimated, error
        attempt.cost_nano_usd = cost(usage, attempt.price) if usage != _NOTHING else 0
        self._call.used = added(self._call.used or _NOTHING, usage)
        close_apart(self._call, attempt, self._runtime)

    async def _opened(self, bound: Bound, grant: Grant, place: DeploymentPolicy, reserved: Reserved) -> Allowance:
        call, runtime = self._call, self._runtime
        call.reserved = reserved
        try:
            attempt, durable = opened(call, grant, place, runtime)
        except GatewayError:
            await release(call, runtime)
            raise
        allowance = Allowance(bound, attempt)
        if durable is not None:
            try:
                await until_durable(call, durable, runtime)
            except BaseException as error:
                self.close(allowance, _NOTHING, error=error if isinstance(error, GatewayError) else None)
                raise
        return allowance


async def take_place(grant: Grant, runtime: Runtime) -> Reservation:
    """Take a place for a session of what may go on at a time. Raises RateError (429), StoreUnavailable (503)."""
    demand = Demand(1, 0, 0, 0)
    rates, _ = asks_of(plan_of(grant.principal, grant.snapshot, grant.model.id), demand)
    taken = await take([ask for ask in rates if ask[0].metric == "concurrent"], [], runtime)
    if isinstance(taken, Remaining):
        raise refusal(taken, demand, grant, runtime.clock.now())
    return taken


async def leave_place(place: Reservation, runtime: Runtime) -> None:
    """Give it back. A store that is away has it back by itself once it returns."""
    if place.rates:
        try:
            await runtime.rates.give_back(windows_of(place.rates), runtime.clock.now())
        except GatewayError as error:
            runtime.observer.alarm("rates_not_given_back", error.code)


def added(one: Usage, other: Usage) -> Usage:
    """Return the usage of two attempts."""
    units = dict(one.units or {})
    for name, count in (other.units or {}).items():
        units[name] = units.get(name, 0) + count
    return replace(
        one,
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        units=units or None,
    )
