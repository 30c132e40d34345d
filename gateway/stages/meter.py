"""Stage 9: what was used, and what it costs at the price that was in force when it was reserved."""

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.dialects.openai_usage import text_of
from gateway.errors import ClientGoneError, UpstreamError
from gateway.money import settle
from gateway.runtime import Runtime
from gateway.snapshot import LongRates, Price
from gateway.stages.translate import service_of
from gateway.tokens import encoding_for
from gateway.types import Attempt, Call, Grant, Usage
from gateway.units import UNITS

COUNTED_CHARACTERS = 400_000  # beyond, tokens are estimated by size: counting takes 0.3 ms per 1,000
CHARACTERS_A_TOKEN = 3  # English has four, code and other languages fewer


def is_told(usage: Usage | None) -> bool:
    """Say whether a provider told all that was used. No answer is without a prompt, which some leave out all the same."""
    return usage is not None and (usage.input_tokens > 0 or not usage.output_tokens)


async def count(call: Call, attempt: Attempt, runtime: Runtime) -> None:
    """Set what of an attempt's usage its provider did not say, where it served anything: counted, marked as estimated."""
    if attempt.served and call.grant is not None and not _goes_on(call.grant, attempt):
        attempt.estimated = True
        try:
            attempt.usage = await _counted(call, call.grant, attempt, runtime)
        except Exception:
            runtime.observer.alarm("tokens_not_counted", call.request_id)


def price(call: Call, attempt: Attempt) -> None:
    """Set the cost of an attempt, estimating its usage by size where it is not known."""
    grant = call.grant
    if grant is None or (attempt.usage is None and not attempt.served):
        attempt.usage = Usage()
        return
    if _goes_on(grant, attempt) and not is_told(attempt.usage):
        demand = attempt.reserved.demand
        attempt.estimated, attempt.usage = True, Usage(demand.input_tokens, output_tokens=demand.output_tokens)
        attempt.cost_nano_usd = demand.nano_usd
        return
    if attempt.usage is None or not is_told(attempt.usage):
        attempt.estimated = True
        attempt.usage = _by_size(call, grant, attempt)
    elif _lacks_tokens(attempt.usage, attempt.price):
        attempt.estimated = True
        attempt.usage = _at_most(attempt.usage, grant, attempt)
    attempt.estimated = attempt.estimated or _rests_on_estimate(attempt.usage, attempt.price)
    attempt.cost_nano_usd = cost(attempt.usage, attempt.price)


def _rests_on_estimate(usage: Usage, price: Price) -> bool:
    """Say whether anything that costs something was reckoned by the gateway itself."""
    priced = price.units or {}
    return any(price.input or price.output if name == "tokens" else name in priced for name in usage.estimated)


def cost(usage: Usage, price: Price) -> int:
    """Return nano-USD: each bucket at its price, added up exactly and rounded once."""
    rates = price if price.long is None or usage.input_tokens <= price.long.above else price.long
    cached = rates.input if rates.cached_input is None else rates.cached_input
    written = rates.input if rates.cache_write is None else rates.cache_write
    total = (
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens) * rates.input
        + usage.cached_tokens * cached
        + usage.cache_write_tokens * written
        + usage.output_tokens * rates.output
    )
    priced = price.units if rates.units is None else rates.units
    if usage.units and priced:
        total += _units_cost(usage.units, priced, cached, written, rates)
    return price.request + settle(total)


def _units_cost(
    used: Mapping[str, int], priced: Mapping[str, int], cached: int, written: int, rates: Price | LongRates
) -> int:
    """Return what units cost beyond the tokens that they are counted among, in nano-USD × 1,000,000."""
    among = {"input": rates.input, "cached": cached, "cache_write": written, "output": rates.output, None: 0}
    return sum(
        count * (priced[name] - among[UNITS[name].part_of])
        for name, count in used.items()
        if name in priced and name in UNITS
    )


async def _counted(call: Call, grant: Grant, attempt: Attempt, runtime: Runtime) -> Usage:
    encoding = encoding_for(attempt.deployment.upstream_model)
    given = _told_of_prompt(attempt) or Usage(await _prompt(call, grant, attempt, encoding, runtime))
    text = text_of(list(attempt.fragments))
    if len(text) > COUNTED_CHARACTERS:
        made = len(text) // CHARACTERS_A_TOKEN
    else:
        made = await runtime.tokens.count([text], encoding) if text else 0
    return _with_output(given, made, call, grant, attempt)


async def _prompt(call: Call, grant: Grant, attempt: Attempt, encoding: str, runtime: Runtime) -> int:
    """Count a prompt. Of what cannot be seen its bound is charged: else who hangs up in time would have it for nothing.

    Where the provider failed, or asks nothing, nobody took that advantage, and what can be seen is charged.
    """
    request, most = grant.request, attempt.reserved.demand.input_tokens
    failed = _provider_failed(call, attempt)
    if request.window_bound and not failed:
        return most
    prompt = service_of(call).prompt(request)
    size = sum(map(len, prompt.texts))
    if size > COUNTED_CHARACTERS:
        given = prompt.overhead + size // CHARACTERS_A_TOKEN
    else:
        given = await runtime.tokens.count_prompt(prompt, encoding)
    nothing_to_gain = attempt.price.free and not service_of(call).has_output  # as with moderation
    seen = prompt.complete or failed or nothing_to_gain
    hidden = 0 if seen else max(0, request.prompt_bound - prompt.bound)
    return min(given + hidden, most) if hidden else given


def _by_size(call: Call, grant: Grant, attempt: Attempt) -> Usage:
    request, most = grant.request, attempt.reserved.demand.input_tokens
    whole = request.window_bound and not _provider_failed(call, attempt)
    size = most if whole else min(most, len(request.members.body) // CHARACTERS_A_TOKEN + 1)
    made = sum(map(len, attempt.fragments)) // CHARACTERS_A_TOKEN
    return _with_output(_told_of_prompt(attempt) or Usage(size), made, call, grant, attempt)


def _goes_on(grant: Grant, attempt: Attempt) -> bool:
    """Say whether a provider works on after its answer: the most is charged, and put right once it says what it used."""
    kept = grant.request.kept
    return attempt.served and (attempt.pending or (kept is not None and kept.background))


def _provider_failed(call: Call, attempt: Attempt) -> bool:
    """Say whether a provider failed before it made what it will bill; an answer that is too large was made."""
    error = attempt.error or call.error
    return isinstance(error, UpstreamError) and error.elsewhere


def _lacks_tokens(usage: Usage, price: Price) -> bool:
    """Say whether a provider told units alone, such as images, of a model whose price is for tokens."""
    if not usage.units or usage.input_tokens or usage.output_tokens:
        return False
    return price.by_tokens


def _at_most(usage: Usage, grant: Grant, attempt: Attempt) -> Usage:
    """Return what a provider told, with the most tokens that it may have used."""
    demand, units = attempt.reserved.demand, {**(grant.request.unit_bounds or {}), **(usage.units or {})}
    return replace(usage, input_tokens=demand.input_tokens, output_tokens=demand.output_tokens, units=units)


def _told_of_prompt(attempt: Attempt) -> Usage | None:
    told = attempt.prompt_usage
    return told if told is not None and told.input_tokens else None


def _with_output(given: Usage, made: int, call: Call, grant: Grant, attempt: Attempt) -> Usage:
    """Add the output to what is known of the prompt: as it was told, else its cap where it may be hidden, else as counted."""
    told = attempt.usage
    if told is not None:
        units = {**(given.units or {}), **(told.units or {})} or None
        return replace(given, output_tokens=told.output_tokens, reasoning_tokens=told.reasoning_tokens, units=units)
    made = attempt.reserved.demand.output_tokens if _unseen(call, grant, attempt) else max(made, given.output_tokens)
    given = replace(given, output_tokens=made, reasoning_tokens=min(given.reasoning_tokens, made))
    if grant.request.unit_bounds and not _provider_failed(call, attempt):  # nobody told, so all there may be
        return replace(given, units={**(given.units or {}), **grant.request.unit_bounds})
    return given


def _unseen(call: Call, grant: Grant, attempt: Attempt) -> bool:
    """Say whether the provider may have made, and will bill, output that never came here: then the cap is charged.

    So it is when the client hangs up on an answer in one piece, on a model that thinks before it writes, or on what is
    not text. Otherwise hanging up in time would be a way to spend past any budget. Nor is seen what is too large to pass
    and is not text.
    """
    request, error = grant.request, attempt.error or call.error
    if isinstance(error, UpstreamError):
        return bool(request.unit_bounds) and not error.elsewhere
    hidden = not request.streamed or "reasoning" in grant.model.capabilities or bool(request.unit_bounds)
    return isinstance(call.error, ClientGoneError) and hidden
