"""Amounts at the edges: what is written is exact, and is read back as it was."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.money import NANO, format_usd, parse_usd

AMOUNTS = st.integers(-(10**19), 9 * 10**18)


@given(AMOUNTS)
@example(0)
@example(10**9)
@example(5)
@example(-1)
def test_an_amount_is_written_exactly(nano: int) -> None:
    text = format_usd(nano)

    assert Decimal(text) * NANO == nano
    assert len(text.partition(".")[2]) >= 2
    assert not text.endswith("0") or len(text.partition(".")[2]) == 2


@given(st.integers(0, 9 * 10**18))
def test_what_is_written_is_read_back(nano: int) -> None:
    assert parse_usd(format_usd(nano)) == nano


@given(AMOUNTS, st.integers(0, 9))
def test_rounding_is_half_up(nano: int, places: int) -> None:
    shown = Decimal(format_usd(nano, places))

    assert abs(shown * NANO - nano) * 2 <= 10 ** (9 - places)
