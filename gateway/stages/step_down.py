"""Stage 3 in whole: reserve for the model that was asked for, or for the cheaper one that a used-up quota names.

A call that a quota has sent down is counted against every quota but that one, which has no room left for it. So a quota
never counts beyond its capacity, and what comes after is capped by the other quotas of whoever calls: a pair with the
cheaper model, or a budget without step-down.
"""

from msgspec.structs import replace

from gateway.errors import GatewayError, RequestError
from gateway.quotas.interface import Demand, Remaining
from gateway.quotas.refusals import step_down_words
from gateway.runtime import Runtime
from gateway.snapshot import Price
from gateway.stages.authorise import authorise
from gateway.stages.fit import check_fit
from gateway.stages.limit import demand_of, refusal, reserve, reserve_at_once
from gateway.stages.translate import output_cap, service_of
from gateway.types import Call, Grant, Reserved
from gateway.units import UNITS

MOST_STEPS = 4


def reserved(call: Call, grant: Grant, runtime: Runtime) -> bool:
    """Reserve the most that this call can use, if that needs no waiting; says whether it is. Sets `call.reserved`."""
    call.reserved = reserve_at_once(grant, service_of(call).has_output, output_cap(grant.model), runtime)
    return call.reserved is not None


async def reserve_or_step_down(call: Call, grant: Grant, runtime: Runtime) -> Grant:
    """Reserve the most that this call can use; returns the grant in force, which may be for a cheaper model.

    Sets `call.grant` and `call.reserved`. Raises RateError (429), BudgetError (402), StoreUnavailable (503).
    """
    has_output = service_of(call).has_output
    waived: set[str] = set()
    stepped: set[str] = set()  # quotas that sent this call down,
    visited = {grant.model.id}  # from and to these models
    while True:
        taken = await reserve(grant, has_output, output_cap(grant.model), runtime, waived)
        if isinstance(taken, Reserved):
            call.grant, call.reserved = grant, taken
            return grant
        quota = taken.quota
        if quota.id in stepped or quota.step_down_model_id == grant.model.id:
            waived.add(quota.id)
            continue
        lower = await _below(call, grant, taken, runtime)
        if is_cheaper(grant.price, lower.price):  # it goes no way up
            waived.add(quota.id)
            continue
        if lower.model.id in visited or len(stepped) == MOST_STEPS:
            raise _refusal(call, grant, taken, runtime)
        stepped.add(quota.id)
        visited.add(lower.model.id)
        grant = lower


async def _below(call: Call, grant: Grant, taken: Remaining, runtime: Runtime) -> Grant:
    """Authorise the call anew on the model that the quota names. Raises the quota's refusal where that cannot serve it."""
    refused, now = _refusal(call, grant, taken, runtime), runtime.clock.now()
    model = grant.snapshot.models.get(taken.quota.step_down_model_id or "")
    if model is None:
        raise refused
    try:
        request = replace(grant.request, model=model.slug)
        lower = authorise(call.endpoint, grant.principal, request, grant.snapshot, now, grant.bounds)
        await check_fit(call, lower, runtime)
        check_cap(lower)
    except GatewayError as error:
        refused.message += f" It would go on with {model.slug}, but cannot: {error.message}"
        raise refused from error
    words = step_down_words(taken.quota, grant.principal, grant.request.model, model.slug)
    return replace(lower, request=grant.request, stepped_down=words, redirected=grant.redirected)


def check_cap(grant: Grant) -> None:
    """Refuse an answer that is longer than the model makes; the client's own cap is never changed."""
    asked, most = grant.request.output_cap, grant.model.max_output_tokens
    if asked is not None and most and asked > most:
        raise RequestError(f"its answers have {most:,} tokens at most, and {asked:,} were asked for.")


def _refusal(call: Call, grant: Grant, taken: Remaining, runtime: Runtime) -> GatewayError:
    return refusal(taken, _demand(call, grant), grant, runtime.clock.now())


def is_cheaper(price: Price, than: Price) -> bool:
    """Say whether nothing costs more at `price`, and something less.

    Bounds would not do: they hang on the models' caps and windows, and callers choose which of these counts.
    """
    lengths = [0, *(one.long.above + 1 for one in (price, than) if one.long is not None)]  # where rates change
    mine, theirs = ([_rates(one, length) for length in lengths] for one in (price, than))
    pairs = [pair for at in zip(mine, theirs, strict=True) for pair in zip(*at, strict=True)]
    return mine != theirs and all(ours <= other for ours, other in pairs)


def _rates(price: Price, length: int) -> tuple[int, ...]:
    """Return what a call with a prompt of `length` tokens pays for each bucket and unit."""
    rates = price if price.long is None or length <= price.long.above else price.long
    cached = rates.input if rates.cached_input is None else rates.cached_input
    written = rates.input if rates.cache_write is None else rates.cache_write
    buckets = {"input": rates.input, "cached": cached, "cache_write": written, "output": rates.output, None: 0}
    priced = (price.units if rates.units is None else rates.units) or {}
    units = (priced.get(name, buckets[unit.part_of]) for name, unit in UNITS.items())
    return *buckets.values(), price.request, *units


def _demand(call: Call, grant: Grant) -> Demand:
    return demand_of(grant, service_of(call).has_output, output_cap(grant.model))
