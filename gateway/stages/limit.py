"""Stage 3: reserve the most that this call can use, of every quota that applies, or refuse."""

from collections.abc import Iterable

from gateway.errors import BudgetError, GatewayError, RateError
from gateway.money import cost_of, settle
from gateway.quotas.interface import Demand, Granted, Remaining, Reservation
from gateway.quotas.refusals import budget_words, rate_words, retry_after_s
from gateway.quotas.window import bounds_of
from gateway.runtime import Runtime
from gateway.snapshot import Price, QuotaPolicy, Snapshot
from gateway.types import Grant, Principal, Reserved

UNKNOWN_CONTEXT = 2_000_000  # tokens; the bound of what is not visible when a model's context window is not known

Asks = list[tuple[QuotaPolicy, int]]


async def reserve(grant: Grant, has_output: bool, cap: int, runtime: Runtime) -> Reserved:
    """Take what this call may use at most. Rates first, then money; a refusal of either leaves nothing taken.

    `cap` is the output cap that the gateway sends itself. Raises RateError (429), BudgetError (402),
    StoreUnavailable (503): money fails closed.
    """
    demand = demand_of(grant, has_output, cap)
    now = runtime.clock.now()
    rate_asks, money_asks = _asks(quotas_of(grant.principal, grant.snapshot, grant.model.id), demand)
    reservation = Reservation()
    if rate_asks:
        taken = await runtime.rates.take(rate_asks, now)
        if isinstance(taken, Remaining):
            raise _rate_refusal(taken, demand, grant, now)
        reservation.rates = tuple((quota, bounds_of(quota, now, "UTC")[0], amount) for quota, amount in rate_asks)
        _tightest(reservation, taken)
    if money_asks:
        try:
            granted = await runtime.money.take(money_asks)
            if isinstance(granted, Remaining):
                raise _budget_refusal(granted, demand, grant)
        except BaseException:
            await runtime.rates.give_back(reservation.rates, now)
            raise
        _hold(reservation, granted)
    return Reserved(demand, reservation)


def demand_of(grant: Grant, has_output: bool, cap: int) -> Demand:
    """Return the upper bound of a call: its prompt at the dearest input price, its capped output times its choices."""
    request, context = grant.request, grant.model.context_tokens or UNKNOWN_CONTEXT
    prompt, output = request.prompt_bound, 0
    if has_output:
        prompt = context if request.window_bound else min(prompt, context)
        output = min(request.output_cap or cap or context, context) * request.choices + request.extra_output_bound
    return Demand(1, prompt, output, _most(grant.price, prompt, output))


def quotas_of(principal: Principal, snapshot: Snapshot, model_id: str | None) -> Iterable[QuotaPolicy]:
    """Return the quotas that a call of this principal counts against."""
    key, found = principal.key, snapshot.quotas
    yield from found.get(("organisation", snapshot.organisation_id), ())
    yield from found.get(("team", key.team_id), ())
    yield from found.get(("user", key.owner_id), ())
    if key.application_id is not None:
        yield from found.get(("application", key.application_id), ())
    yield from key.quotas or found.get(("key", key.key_id), ())
    if model_id is not None:
        yield from found.get(("model", model_id), ())


def _most(price: Price, prompt: int, output: int) -> int:
    dearest = max(price.input, price.cached_input or 0, price.cache_write or 0)
    return settle(cost_of(prompt, dearest) + cost_of(output, price.output)) + price.request


def _asks(quotas: Iterable[QuotaPolicy], demand: Demand) -> tuple[Asks, Asks]:
    amounts = {
        "requests": demand.requests,
        "input_tokens": demand.input_tokens,
        "output_tokens": demand.output_tokens,
        "total_tokens": demand.input_tokens + demand.output_tokens,
        "concurrent": 1,
    }
    rates: Asks = []
    money: Asks = []
    for quota in quotas:
        if quota.metric == "usd":
            money.append((quota, demand.nano_usd))
        else:
            rates.append((quota, amounts[quota.metric]))
    return rates, money


def _tightest(reservation: Reservation, all_remaining: Iterable[Remaining]) -> None:
    for remaining in all_remaining:
        metric = remaining.quota.metric
        known = reservation.remaining.get(metric)
        if known is None or remaining.left < known.left:
            reservation.remaining[metric] = remaining


def _hold(reservation: Reservation, granted: Granted) -> None:
    reservation.holds = granted.holds
    _tightest(reservation, granted.remaining)
    reservation.remaining_nano_usd = min((r.left for r in granted.remaining), default=None)


def _rate_refusal(remaining: Remaining, demand: Demand, grant: Grant, now: float) -> GatewayError:
    quota = remaining.quota
    asked = {"requests": 1, "concurrent": 1, "input_tokens": demand.input_tokens, "output_tokens": demand.output_tokens}
    amount = asked.get(quota.metric, demand.input_tokens + demand.output_tokens)
    error = RateError(
        rate_words(remaining, amount, grant.principal, now),
        link=f"/requests/new?kind=rate&quota={quota.id}&key={grant.principal.key.key_id}",
        retry_after_s=retry_after_s(remaining, now),
    )
    error.retry = amount <= remaining.limit  # what never fits need not be tried again
    return error


def _budget_refusal(remaining: Remaining, demand: Demand, grant: Grant) -> GatewayError:
    return BudgetError(
        budget_words(remaining, demand.nano_usd, grant.principal, grant.snapshot.billing_time_zone),
        link=f"/requests/new?kind=budget&quota={remaining.quota.id}&key={grant.principal.key.key_id}",
    )
