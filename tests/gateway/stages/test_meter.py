"""What a call costs: exact, rounded once, never by floats."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.dialects.members import Members
from gateway.snapshot import LongRates, Price
from gateway.stages.limit import WIDEST_CONTEXT, demand_of, most, most_more
from gateway.stages.meter import cost
from gateway.types import Grant, ParsedRequest, Principal, Usage
from gateway.units import UNITS, Bucket
from tests.factories import gateway as make

RATES = st.integers(0, 200_000_000_000)
TOKENS = st.integers(0, 10_000_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Draw a usage whose parts fit its wholes."""
    prompt, output = draw(TOKENS), draw(TOKENS)
    cached = draw(st.integers(0, prompt))
    written = draw(st.integers(0, prompt - cached))
    return Usage(prompt, cached, written, output, draw(st.integers(0, output)))


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Draw a price."""
    optional = st.none() | RATES
    return Price("p", 0, draw(RATES), draw(RATES), draw(optional), draw(optional), draw(RATES))


@given(usages(), prices())
def test_each_token_is_charged_once_at_its_price(usage: Usage, price: Price) -> None:
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    exact = Fraction(
        plain * price.input + usage.cached_tokens * cached + usage.cache_write_tokens * written
        + usage.output_tokens * price.output, 1_000_000,
    )  # fmt: skip
    assert abs(cost(usage, price) - price.request - exact) <= Fraction(1, 2)


@given(usages(), prices())
def test_the_bound_is_never_below_the_cost(usage: Usage, price: Price) -> None:
    assert cost(usage, price) <= most(price, usage.input_tokens, usage.output_tokens)


@st.composite
def unit_usages(draw: st.DrawFn) -> Usage:
    """Draw a usage with units: those that are tokens fit into the buckets that count them as well."""
    usage = draw(usages())
    room: dict[Bucket | None, int] = {
        "input": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, "cached": usage.cached_tokens,
        "cache_write": usage.cache_write_tokens, "output": usage.output_tokens,
    }  # fmt: skip
    units = {}
    for name in draw(st.lists(st.sampled_from(sorted(UNITS)), unique=True)):
        bucket = UNITS[name].part_of
        units[name] = draw(st.integers(0, room.get(bucket, 1_000_000)))
        if bucket is not None:
            room[bucket] -= units[name]
    return replace(usage, units=units)


@st.composite
def unit_prices(draw: st.DrawFn) -> Price:
    """Draw a price with units, and mostly with rates of long prompts, which may be lower, too."""
    units, price = st.none() | st.dictionaries(st.sampled_from(sorted(UNITS)), RATES), draw(prices())
    optional = st.none() | RATES
    long = st.builds(LongRates, TOKENS, RATES, RATES, optional, optional, units)
    return dataclasses.replace(price, units=draw(units), long=draw(st.none() | long))


@settings(max_examples=40)
@given(unit_usages(), unit_prices(), TOKENS, TOKENS)
def test_units_and_long_prompts_never_cost_more_than_is_reserved(
    usage: Usage, price: Price, more: int, out: int
) -> None:
    """The bound holds for whatever is within it, on either side of the length from which prices change."""
    [hour] = [name for name, unit in UNITS.items() if unit.on_request]
    asked = hour if hour in (usage.units or {}) else ""
    bound = most(price, usage.input_tokens + more, usage.output_tokens + out, usage.units, asked)
    assert 0 <= cost(usage, price) <= bound


@settings(max_examples=40)
@given(unit_usages(), unit_prices(), TOKENS)
def test_an_answer_that_outgrows_its_bound_is_topped_up_by_what_it_may_cost(
    usage: Usage, price: Price, more: int
) -> None:
    longer = replace(usage, output_tokens=usage.output_tokens + more)
    assert cost(longer, price) - cost(usage, price) <= most_more(price, more) + 1  # each rounds for itself


@settings(max_examples=40)
@given(unit_prices(), TOKENS, st.integers(1, 2_000_000), st.integers(0, WIDEST_CONTEXT), st.integers(0, 5_000))
def test_no_document_costs_more_than_is_reserved_for_it(
    price: Price, size: int, context: int, prompt: int, output: int
) -> None:
    """What a provider reads out of a document is bounded by the model's window alone, or by the widest there is."""
    model = make.model("m", make.deployment("http://127.0.0.1:9"), context_tokens=context, prices=(price,))
    request = ParsedRequest(Members(b"{}"), "m", False, 1, output, False, size, True)
    team = make.team([model])
    grant = Grant(make.snapshot([model], [team]), Principal(make.key_entry(), team), model, price, request)
    reserved = demand_of(grant, True, 0).nano_usd
    beyond = price.long is not None and price.long.above >= context
    taken = Usage(prompt if beyond else min(prompt, context), 0, 0, min(output, context))
    assert cost(taken, price) <= reserved


def test_nothing_is_reserved_for_an_hour_in_the_cache_that_nobody_asks_for() -> None:
    price = Price(
        "p", 0, 3_000_000_000, 15_000_000_000, cache_write=3_750_000_000, units={"cache_write_1h_tokens": 6 * 10**9}
    )
    assert most(price, 1_000, 0) == 3_750_000
    assert most(price, 1_000, 0, None, "cache_write_1h_tokens") == 6_000_000


def test_a_long_prompt_is_charged_in_whole_at_its_own_rates_and_units_at_theirs() -> None:
    """Gemini 2.5 Pro: 1.25 and 10 USD up to 200,000 tokens, beyond that 2.50 and 15; one-hour writes by the price."""
    long = LongRates(200_000, 2_500_000_000, 15_000_000_000, units={"cache_write_1h_tokens": 12_000_000_000})
    price = Price("p", 0, 1_250_000_000, 10_000_000_000, units={"cache_write_1h_tokens": 6_000_000_000}, long=long)
    assert cost(Usage(200_000, 0, 0, 1000), price) == 250_000_000 + 10_000_000
    assert cost(Usage(200_001, 0, 0, 1000), price) == 500_002_500 + 15_000_000
    written = Usage(1000, 0, 1000, 0, units={"cache_write_1h_tokens": 1000})
    assert cost(written, price) == 6_000_000
    assert cost(replace(written, input_tokens=300_000), price) == 299_000 * 2_500 + 12_000_000


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(1000, 0, 0, 500, 0), 450_000),  # gpt-4o-mini: 0.00015 + 0.0003 USD
        (Usage(1000, 1000, 0, 0, 0), 75_000),
        (Usage(1, 0, 0, 0, 0), 150),
        (Usage(0, 0, 0, 0, 0), 0),
        (Usage(100, 0, 0, 400, 399), 255_000),  # reasoning is output, charged once
    ],
)
def test_known_costs(usage: Usage, expected: int) -> None:
    assert cost(usage, Price("p", 0, 150_000_000, 600_000_000, cached_input=75_000_000)) == expected
