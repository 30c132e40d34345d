"""Stages 6 to 10: one place after the other, until one answers. Nothing is tried again once the client has a byte."""

import asyncio

from gateway.errors import (
    BudgetError,
    ClientGoneError,
    GatewayError,
    RateError,
    RequestError,
    UnavailableError,
    UpstreamError,
)
from gateway.routing import retry
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.call import dial
from gateway.stages.fallback import fall_back
from gateway.stages.record import finish, release
from gateway.stages.relay import relay
from gateway.stages.route import Places, candidates
from gateway.stages.step_down import reserve_or_step_down
from gateway.stages.translate import translate
from gateway.types import Call, Grant
from gateway.watch import NEVER


async def serve(call: Call, grant: Grant, runtime: Runtime) -> None:
    """Answer the call. Raises the last error where no place could, or where trying another is of no use."""
    places: Places = ()
    try:
        places = candidates(call, grant, runtime)
        await _attempt(call, grant, places[0], runtime)
    except (UpstreamError, RequestError, UnavailableError) as error:
        if call.client.started:
            raise
        await _go_on(call, grant, places, error, runtime)


async def _attempt(call: Call, grant: Grant, place: DeploymentPolicy, runtime: Runtime) -> None:
    """Dial a place and relay its answer; tell `runtime.health` how it went."""
    health, monotonic = runtime.health, runtime.clock.monotonic
    vitals = health.begin(place, monotonic())
    try:
        response = await dial(call, grant, await translate(call, grant, place, runtime), runtime)
        await relay(call, grant, response, runtime)
    except UpstreamError as error:
        health.fail(vitals, error, monotonic())
        _count_canary(grant, place, error, runtime)
        raise
    except BaseException:
        health.forgo(vitals)
        raise
    attempt = call.attempts[-1]
    health.succeed(vitals, attempt.started, attempt.first_byte, monotonic())
    if grant.model.route.canary is not None:
        _count_canary(grant, place, None, runtime)


async def _go_on(call: Call, grant: Grant, places: Places, error: GatewayError, runtime: Runtime) -> None:
    """After a failure: other places of the model, the same again after a moment, then other models.

    `places`: the one that failed, then those not tried yet; none where the model had no place to try.
    """
    left, tries, seen = list(places), 0, {grant.model.id}
    while True:
        await _close(call, error, runtime)
        tries += 1
        if _is_over(call, grant, runtime):
            raise error
        may_stay = tries <= grant.model.route.retries
        try:
            if may_stay and len(left) > 1 and retry.may_try_elsewhere(error):
                left.pop(0)
            elif not (may_stay and await _may_repeat(call, error, tries, runtime)):
                await release(call, runtime)  # the other model is reserved for on its own
                grant = await fall_back(call, grant, error, seen, runtime)
                tries = 0
                left = list(candidates(call, grant, runtime))
            if call.reserved is None:
                model, grant = grant.model, await _reserved(call, grant, error, runtime)
                if grant.model is not model:
                    left = list(candidates(call, grant, runtime))
            _count_retry(call, error, runtime)
            await _attempt(call, grant, left[0], runtime)
            return
        except (UpstreamError, RequestError, UnavailableError) as failed:
            if call.client.started or failed is error:
                raise
            error = failed


async def _close(call: Call, error: GatewayError, runtime: Runtime) -> None:
    """End the attempt that failed: charged where it may have been served. What was reserved and not dialled is kept."""
    attempt = call.attempt
    if attempt is not None and not attempt.closed:
        attempt.error = error
        await finish(call, runtime)
    call.event_end = b""
    call.watch.total_due = NEVER


def _is_over(call: Call, grant: Grant, runtime: Runtime) -> bool:
    """Say whether the time or the number of attempts is used up, or this process is stopping."""
    late = runtime.clock.monotonic() - call.started > grant.model.route.retry_within_s
    return late or runtime.closing or len(call.attempts) >= retry.MOST_ATTEMPTS


async def _may_repeat(call: Call, error: GatewayError, tries: int, runtime: Runtime) -> bool:
    """Wait before the same place is tried again. Says whether it may be."""
    if not retry.may_try_again(error):
        return False
    wait_s = retry.wait_s(error, tries, runtime.choose())
    if wait_s is None:
        return False
    await call.watch.pause(asyncio.sleep(wait_s))
    return True


async def _reserved(call: Call, grant: Grant, error: GatewayError, runtime: Runtime) -> Grant:
    """Reserve for another attempt. Where that is refused, the provider's failure is what the client is told."""
    try:
        return await reserve_or_step_down(call, grant, runtime)
    except (BudgetError, RateError):
        raise error from None


def _count_retry(call: Call, error: GatewayError, runtime: Runtime) -> None:
    attempt = call.attempt
    if attempt is not None:
        key = attempt.deployment.provider, error.code
        runtime.health.retries[key] = runtime.health.retries.get(key, 0) + 1


def _count_canary(grant: Grant, place: DeploymentPolicy, error: UpstreamError | None, runtime: Runtime) -> None:
    canary = grant.model.route.canary
    if canary is None or place.id != canary.deployment_id or isinstance(error, ClientGoneError):
        return
    if runtime.canaries.count(grant.model.id, canary, error):
        runtime.observer.alarm("canary_stopped", place.id)
