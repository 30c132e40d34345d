"""What a call costs: exact, rounded once, never by floats."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.snapshot import Price
from gateway.stages.limit import _most
from gateway.stages.meter import cost
from gateway.types import Usage

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
    assert cost(usage, price) <= _most(price, usage.input_tokens, usage.output_tokens)


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
