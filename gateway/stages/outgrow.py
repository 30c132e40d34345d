"""Between stages 3 and 8: an answer that grows beyond what was reserved for it is topped up, or ended.

Providers that keep to the output cap never get here. One that ignores it would else be paid out of a budget that has
nothing left.
"""

from gateway.dialects.lanes import Stream
from gateway.dialects.openai_usage import text_of
from gateway.errors import GatewayError
from gateway.journal.records import Hold
from gateway.quotas.baskets import Plan
from gateway.quotas.interface import Demand, Remaining, Reservation
from gateway.quotas.slices import windows_of
from gateway.runtime import Runtime
from gateway.stages.limit import asks_of, most_more, plan_of, refusal, take
from gateway.tokens import encoding_for
from gateway.types import Attempt, Grant, Reserved

BYTES_A_TOKEN = 3  # of generated text: English has more, so an answer is counted before it has outgrown its bound
COUNTED_BYTES = 400_000  # beyond, tokens are estimated by size
SLACK = 64  # tokens, and a quarter: our count of another vendor's tokens is not theirs
LEAST_ROOM = 4_096  # bytes until the next count
GROWING = frozenset({"output_tokens", "total_tokens"})


def room_of(tokens: int) -> int:
    """Return up to how many bytes of generated text an answer need not be counted against a bound of `tokens`."""
    return tokens * BYTES_A_TOKEN


def has_outgrown(made: int, bound: int) -> bool:
    """Say whether `made` tokens are surely more than a provider that keeps to `bound` would make."""
    return made > bound + bound // 4 + SLACK


def next_room(size: int, made: int, bound: int) -> int:
    """Return the size in bytes at which an answer of `size` bytes and `made` tokens is to be counted again."""
    return size + max(LEAST_ROOM, (bound - made) * BYTES_A_TOKEN)


async def checked_room(grant: Grant, attempt: Attempt, stream: Stream, runtime: Runtime) -> int:
    """Count what a stream has made so far; reserve as much again where that is beyond the bound.

    Returns the size at which to look again. Raises BudgetError, RateError or StoreUnavailable where no more is to be had.
    """
    made = await _counted(attempt, stream, runtime)
    bound = attempt.reserved.demand.output_tokens
    if has_outgrown(made, bound):
        await _top_up(grant, attempt, made, runtime)
        bound = attempt.reserved.demand.output_tokens
    return next_room(stream.made, made, bound)


async def _counted(attempt: Attempt, stream: Stream, runtime: Runtime) -> int:
    if stream.made > COUNTED_BYTES:
        return stream.made // BYTES_A_TOKEN
    text = text_of(stream.fragments())
    return await runtime.tokens.count([text], encoding_for(attempt.deployment.upstream_model))


async def _top_up(grant: Grant, attempt: Attempt, made: int, runtime: Runtime) -> None:
    """Reserve as many output tokens again as were made, of the quotas that this attempt is counted against."""
    old, reservation = attempt.reserved.demand, attempt.reserved.reservation
    more = Demand(0, 0, made, most_more(attempt.price, made))
    taken = await take(*asks_of(_growing(grant, reservation), more), runtime)
    if isinstance(taken, Remaining):
        raise _ended(refusal(taken, more, grant, runtime.clock.now()))
    whole = Demand(old.requests, old.input_tokens, old.output_tokens + more.output_tokens, old.nano_usd + more.nano_usd)
    attempt.reserved = Reserved(whole, await _merged(reservation, taken, runtime))


def _growing(grant: Grant, reservation: Reservation) -> Plan:
    held = {hold.quota_id for hold in reservation.holds} | {part.quota.id for part, _ in reservation.rates}
    plan = plan_of(grant.principal, grant.snapshot, grant.model.id)
    return Plan(
        quota
        for quota in (*plan.rates.quotas, *plan.money.quotas)
        if quota.id in held and (quota.metric in GROWING or quota.metric == "usd")
    )


async def _merged(old: Reservation, more: Reservation, runtime: Runtime) -> Reservation:
    """Add what was taken to what is held of the same windows. A call belongs to the window that it began in."""
    holds = {(hold.quota_id, hold.period): hold for hold in old.holds}
    for hold in more.holds:
        held = holds.get((hold.quota_id, hold.period))
        if held is None:
            runtime.money.release([hold], 0)
        else:
            holds[hold.quota_id, hold.period] = Hold(hold.quota_id, hold.period, held.amount + hold.amount)
    rates = {part.slot: (part, amount) for part, amount in old.rates}
    for part, amount in more.rates:
        if part.slot in rates:
            rates[part.slot] = (part, rates[part.slot][1] + amount)
        else:
            await runtime.rates.give_back(windows_of([(part, amount)]), runtime.clock.now())
    return Reservation(tuple(holds.values()), tuple(rates.values()), old.money)


def _ended(error: GatewayError) -> GatewayError:
    error.message = f"The answer went on beyond the tokens that it was allowed, so it ends here. {error.message}"
    error.retry = False
    return error
