"""Identifiers: their alphabet, their width, their order."""

import time

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.ids import ALPHABET, base62, new_id, stamp


@given(st.integers(0, 62**22 - 1))
@example(0)
@example(61)
@example(62)
@example(3844)
def test_base62_can_be_read_back(number: int) -> None:
    text = base62(number, 22)

    assert len(text) == 22
    assert sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(text))) == number


@given(st.integers(0, 62**6 - 1))
def test_base62_is_padded_and_never_longer_than_needed(number: int) -> None:
    assert len(base62(number, 6)) == 6
    assert base62(number, 1) == (base62(number, 6).lstrip("0") or "0")


@given(st.lists(st.integers(0, (1 << 48) - 1), min_size=2))
def test_identifiers_sort_by_their_time(times: list[int]) -> None:
    assert sorted(times, key=stamp) == sorted(times)


def test_an_identifier_is_prefix_time_and_chance() -> None:
    made = {new_id("req") for _ in range(20_000)}

    assert len(made) == 20_000
    for name in made:
        assert len(name) == len("req_") + 22
        assert set(name.removeprefix("req_")) <= set(ALPHABET)


def test_what_is_made_later_sorts_later() -> None:
    first = new_id("req")
    time.sleep(0.002)

    assert new_id("req") > first
