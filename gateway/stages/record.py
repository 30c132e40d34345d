"""Stage 10: the one ending. Whatever happened, an attempt is metered, journaled and settled exactly once."""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.journal.frames import JournalError
from gateway.journal.records import Closed
from gateway.quotas.slices import windows_of
from gateway.runtime import Runtime
from gateway.snapshot import Metric, QuotaPolicy
from gateway.stages.meter import count, is_told, price
from gateway.types import Attempt, Call, CallLine, Usage

_NOTHING = Usage()


async def finish(call: Call, runtime: Runtime) -> None:
    """Settle what is open: give back what was never dialled, close what was. Doing it again does nothing."""
    if call.reserved is not None:
        await release(call, runtime)
    attempt = call.attempts[-1] if call.attempts else None
    if attempt is not None and not attempt.closed:
        if not is_told(attempt.usage):
            await count(call, attempt, runtime)
        price(call, attempt)
        _close(call, attempt, runtime)
        unused = _unused(attempt)
        if unused:
            await _give_back(unused, runtime)


async def release(call: Call, runtime: Runtime) -> None:
    """Give back what was reserved for an attempt that was never dialled, if anything."""
    reserved, call.reserved = call.reserved, None
    if reserved is not None:
        runtime.money.release(reserved.reservation.holds, 0)
        await _give_back(windows_of(reserved.reservation.rates), runtime)


def finish_now(call: Call, runtime: Runtime) -> None:
    """Do the same when the task is being ended and may wait for nothing: count by size, give back in the background."""
    reserved, call.reserved = call.reserved, None
    if reserved is not None:
        runtime.money.release(reserved.reservation.holds, 0)
        runtime.later(_give_back(windows_of(reserved.reservation.rates), runtime))
    attempt = call.attempt
    if attempt is not None and not attempt.closed:
        price(call, attempt)
        _close(call, attempt, runtime)
        runtime.later(_give_back(_unused(attempt), runtime))


def close_apart(call: Call, attempt: Attempt, runtime: Runtime) -> None:
    """Close one of several attempts that are open at a time, whose usage and cost are set: a response of a session."""
    _close(call, attempt, runtime, apart=True)
    runtime.later(_give_back(_unused(attempt), runtime))


def line_of(call: Call, runtime: Runtime) -> CallLine:
    """Return the one line that the log gets of a call."""
    attempts, error, grant = call.attempts, call.error, call.grant
    attempt, entry = attempts[-1] if attempts else None, call.principal.key if call.principal else None
    usage = call.used or (attempt.usage if attempt and attempt.usage else _NOTHING)
    now = runtime.clock.monotonic()
    return CallLine(
        at_ms=int(call.at * 1000),
        request_id=call.request_id,
        endpoint=call.endpoint.name,
        method=call.method,
        status=error.status if error else 200,
        code=error.code if error else "",
        source=error.source if error else "",
        key_id=entry.key_id if entry else "",
        team_id=entry.team_id if entry else "",
        model_id=grant.model.id if grant else "",
        deployment_id=attempt.deployment.id if attempt else "",
        client=call.client_name,
        streamed=grant.request.streamed if grant else False,
        attempts=len(attempts),
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_nano_usd=call.cost_nano_usd,
        estimated=attempt.estimated if attempt else False,
        latency_ms=round((now - call.started) * 1000),
        ttft_ms=0 if call.used else _ttft_ms(call.started, attempt),  # a session has many
        overhead_us=_overhead_us(call, now),
        policy_version=grant.snapshot.version if grant else 0,
    )


def _close(call: Call, attempt: Attempt, runtime: Runtime, *, apart: bool = False) -> None:
    """Journal how an attempt ended, then free what it held. A hold that cannot be journaled stays held."""
    attempt.closed = True
    error = attempt.error if apart else attempt.error or call.error
    usage, now = attempt.usage or _NOTHING, runtime.clock.monotonic()
    first = attempt.number == 1 and not apart
    began = call.started if first else attempt.started  # its own time, not that of those before
    closed = Closed(
        request_id=call.request_id,
        attempt=attempt.number,
        at_ms=int(runtime.clock.now() * 1000),
        status=error.status if error else 200,
        code=error.code if error else "",
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_nano_usd=attempt.cost_nano_usd,
        latency_ms=round((now - began) * 1000),
        ttft_ms=_ttft_ms(began, attempt),
        overhead_us=0 if apart else _overhead_us(call, now),
        estimated=attempt.estimated,
        units=dict(usage.units) if usage.units else None,
    )
    try:
        runtime.journal.append(closed)
    except JournalError:
        runtime.observer.alarm("close_not_journaled", call.request_id)
        return
    reserved = attempt.reserved
    runtime.money.release(reserved.reservation.holds, attempt.cost_nano_usd)
    if attempt.cost_nano_usd > reserved.demand.nano_usd:
        runtime.observer.alarm("bound_exceeded", call.request_id)
    if error is not None and error.code == "upstream_credential":
        runtime.observer.alarm("upstream_credential", attempt.deployment.id)


async def _give_back(rates: Sequence[tuple[QuotaPolicy, int, int]], runtime: Runtime) -> None:
    """Return rates. A store that is away must not spoil an answer: its windows end by themselves."""
    if rates:
        try:
            await runtime.rates.give_back(rates, runtime.clock.now())
        except GatewayError as error:
            runtime.observer.alarm("rates_not_given_back", error.code)


def _unused(attempt: Attempt) -> list[tuple[QuotaPolicy, int, int]]:
    """Return what of the reserved rates is to be given back; a negative amount was used beyond."""
    usage, found = attempt.usage or _NOTHING, []
    for part, amount in attempt.reserved.reservation.rates:
        quota = part.quota
        if quota.metric != "requests" and (rest := amount - _used(quota.metric, usage)):
            found.append((quota, part.start, rest))
    return found


def _used(metric: Metric, usage: Usage) -> int:
    if metric == "total_tokens":
        return usage.input_tokens + usage.output_tokens
    if metric == "input_tokens":
        return usage.input_tokens
    return usage.output_tokens if metric == "output_tokens" else 0


def _ttft_ms(began: float, attempt: Attempt | None) -> int:
    if attempt is None or not attempt.first_byte:
        return 0
    return round((attempt.first_byte - began) * 1000) or 1


def _overhead_us(call: Call, now: float) -> int:
    overhead_us = round((now - call.started - call.watch.waited_s) * 1_000_000)
    return overhead_us if overhead_us > 0 else 0
