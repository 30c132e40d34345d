"""Stage 3: reserve the most that this call can use, of every quota that applies, or refuse."""

from collections.abc import Collection, Mapping

from gateway.errors import BudgetError, GatewayError, RateError
from gateway.money import settle
from gateway.quotas.baskets import Plan
from gateway.quotas.interface import Demand, Granted, Remaining, Reservation
from gateway.quotas.refusals import budget_words, rate_words, retry_after_s
from gateway.quotas.slices import holds_of, windows_of
from gateway.runtime import Runtime
from gateway.snapshot import LongRates, Metric, Price, QuotaPolicy, Snapshot
from gateway.types import Grant, Principal, Reserved
from gateway.units import UNITS

UNKNOWN_CONTEXT = 2_000_000  # tokens; the bound of what is not visible when a model's context window is not known
WIDEST_CONTEXT = 1_050_000  # tokens; the longest prompt that any provider takes today

MAX_PLANS = 20_000

Asks = list[tuple[QuotaPolicy, int]]


def reserve_at_once(grant: Grant, has_output: bool, cap: int, runtime: Runtime) -> Reserved | None:
    """Take what this call may use at most from what this process has in hand; None: `reserve` has to ask the stores.

    So nearly every call waits for nobody here, and nothing comes between the look and the taking.
    """
    demand = demand_of(grant, has_output, cap)
    plan, amounts = plan_of(grant.principal, grant.snapshot, grant.model.id), _amounts(demand)
    rates = runtime.rates.in_hand(plan.rates, amounts, runtime.clock.now())
    money = None if rates is None else runtime.money.in_hand(plan.money, amounts)
    if rates is None or money is None:
        return None
    runtime.rates.book(rates)
    runtime.money.book(money)
    return Reserved(demand, Reservation(holds_of(money), rates, money))


async def reserve(
    grant: Grant, has_output: bool, cap: int, runtime: Runtime, waived: Collection[str] = ()
) -> Reserved | Remaining:
    """Take what this call may use at most.

    `cap` is the output cap that the gateway sends itself; `waived` are the ids of quotas that this call is not counted
    against. Returns `Remaining` of the quota that did not allow it. Raises StoreUnavailable (503): money fails closed.
    """
    demand = demand_of(grant, has_output, cap)
    rate_asks, money_asks = asks_of(plan_of(grant.principal, grant.snapshot, grant.model.id), demand)
    if waived:
        rate_asks, money_asks = ([ask for ask in asks if ask[0].id not in waived] for asks in (rate_asks, money_asks))
    taken = await take(rate_asks, money_asks, runtime)
    return taken if isinstance(taken, Remaining) else Reserved(demand, taken)


async def take(rate_asks: Asks, money_asks: Asks, runtime: Runtime) -> Reservation | Remaining:
    """Take rates first, then money; a refusal of either leaves nothing taken. Returns `Remaining` of the quota that did not allow it."""
    now = runtime.clock.now()
    rates = await runtime.rates.take(rate_asks, now) if rate_asks else []
    if isinstance(rates, Remaining):
        return rates
    if not money_asks:
        return Reservation(rates=rates)
    granted: Granted | Remaining | None = None
    try:
        granted = await runtime.money.take(money_asks)
    finally:
        if not isinstance(granted, Granted):
            await runtime.rates.give_back(windows_of(rates), now)
    return granted if isinstance(granted, Remaining) else Reservation(granted.holds, rates, granted.taken)


def demand_of(grant: Grant, has_output: bool, cap: int) -> Demand:
    """Return the upper bound of a call: its prompt at the dearest input price, its capped output times its choices.

    A model may be offered with a shorter window than its provider has, and a document is not counted here before it is
    sent: so its bytes count as well in money, but not in rates, whose windows they would mostly exceed for nothing.
    """
    request, context = grant.request, grant.model.context_tokens or UNKNOWN_CONTEXT
    prompt = billed = request.prompt_bound
    output = request.extra_output_bound
    if has_output:
        prompt = context if request.window_bound else min(prompt, context)
        billed = max(prompt, min(billed, WIDEST_CONTEXT)) if request.window_bound else prompt
        if request.window_bound and any(price.long and price.long.above >= context for price in grant.prices()):
            billed = max(billed, WIDEST_CONTEXT)  # priced beyond its window here: its provider takes more
        output = min(request.output_cap or cap or context, context) * request.choices
        output += request.extra_output_bound * request.choices
    elif output and not any(price.by_tokens for price in grant.prices()):
        output = 0  # it is charged in other units alone, so no limit of tokens has to hold it
    units, asked = request.unit_bounds, request.priced_unit
    return Demand(1, prompt, output, max(most(price, billed, output, units, asked) for price in grant.prices()))


def quotas_of(principal: Principal, snapshot: Snapshot, model_id: str) -> tuple[QuotaPolicy, ...]:
    """Return the quotas that a call of this principal to this model counts against: pairs with other models are none.

    Those that name a cheaper model come first: where they and others refuse, the call may still go on there.
    """
    whole = (*every_quota_of(principal, snapshot), *snapshot.quotas.get(("model", model_id), ()))
    found = [quota for quota in whole if quota.model_id is None or quota.model_id == model_id]
    return tuple(sorted(found, key=lambda quota: quota.step_down_model_id is None))


def every_quota_of(principal: Principal, snapshot: Snapshot) -> tuple[QuotaPolicy, ...]:
    """Return the quotas of this principal, pairs included, but for those of models."""
    key, found = principal.key, snapshot.quotas
    return (
        *found.get(("organisation", snapshot.organisation_id), ()),
        *found.get(("team", key.team_id), ()),
        *found.get(("user", key.owner_id), ()),
        *(found.get(("application", key.application_id), ()) if key.application_id is not None else ()),
        *(key.quotas or found.get(("key", key.key_id), ())),
    )


def refusal(remaining: Remaining, demand: Demand, grant: Grant, now: float) -> GatewayError:
    """Return the error for a call that a quota did not allow: BudgetError (402) for money, else RateError (429)."""
    quota = remaining.quota
    kind = "budget" if quota.metric == "usd" else "rate"
    link = f"/requests/new?kind={kind}&quota={quota.id}&key={grant.principal.key.key_id}"
    if quota.metric == "usd":
        words = budget_words(remaining, demand.nano_usd, grant.principal, grant.snapshot.billing_time_zone)
        return BudgetError(words, link=link)
    amount = _amounts(demand)[quota.metric]
    error = RateError(
        rate_words(remaining, amount, grant.principal, now), link=link, retry_after_s=retry_after_s(remaining, now)
    )
    error.retry = amount <= remaining.limit  # what never fits need not be tried again
    return error


def plan_of(principal: Principal, snapshot: Snapshot, model_id: str) -> Plan:
    """Return the quotas of a call, rates and money apart. A snapshot keeps the plans of the keys that call the most."""
    entry, plans = principal.key, snapshot.plans
    kept = plans.get((entry.key_id, model_id))
    if kept is not None and kept[0] is entry:
        return kept[1]
    plan = Plan(quotas_of(principal, snapshot, model_id))
    if len(plans) >= MAX_PLANS:
        plans.clear()
    plans[entry.key_id, model_id] = entry, plan
    return plan


def asks_of(plan: Plan, demand: Demand) -> tuple[Asks, Asks]:
    """Return what is asked of rates and of money."""
    amounts = _amounts(demand)
    rates, money = ([(quota, amounts[quota.metric]) for quota in basket.quotas] for basket in (plan.rates, plan.money))
    return rates, money


def _amounts(demand: Demand) -> dict[Metric, int]:
    return {
        "requests": demand.requests,
        "input_tokens": demand.input_tokens,
        "output_tokens": demand.output_tokens,
        "total_tokens": demand.input_tokens + demand.output_tokens,
        "concurrent": 1,
        "usd": demand.nano_usd,
    }


def most(price: Price, prompt: int, output: int, units: Mapping[str, int] | None = None, asked: str = "") -> int:
    """Return the most that a call may cost: every token in its dearest kind. A long prompt may cost more, or less."""
    bound = _most_at(price, prompt, output, price.units, units, asked)
    if price.long is not None and prompt > price.long.above:
        bound = max(bound, _most_long(price, price.long, prompt, output, units, asked))
    return settle(bound) + price.request


def most_more(price: Price, output: int) -> int:
    """Return the most that `output` tokens more may cost, however long the prompt was."""
    bound = _most_at(price, 0, output, price.units, None)
    return settle(bound if price.long is None else max(bound, _most_long(price, price.long, 0, output, None)))


def _most_long(
    price: Price, long: LongRates, prompt: int, output: int, units: Mapping[str, int] | None, asked: str = ""
) -> int:
    return _most_at(long, prompt, output, price.units if long.units is None else long.units, units, asked)


def _most_at(
    rates: Price | LongRates,
    prompt: int,
    output: int,
    priced: Mapping[str, int] | None,
    units: Mapping[str, int] | None,
    asked: str = "",
) -> int:
    into, out, beside = max(rates.input, rates.cached_input or 0, rates.cache_write or 0), rates.output, 0
    if priced:
        for name, rate in priced.items():
            unit = UNITS.get(name)
            bucket = unit.part_of if unit is not None else None
            if bucket == "output":
                out = max(out, rate)
            elif unit is not None and unit.on_request and name != asked:
                continue
            elif bucket is not None:
                into = max(into, rate)
            elif units:
                beside += units.get(name, 0) * rate
    return prompt * into + output * out + beside
