"""A breaker: what opens it, for how long, and that one call at a time tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.breaker import LONGEST_COOLING_S, PLACE, TRY_WITHIN_S, Breaker


def tripped(now: float = 0.0) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker()
    for _ in range(PLACE.least_failures):
        breaker.fail(now, "failing")
    assert breaker.state(now) == "open"
    return breaker


def test_few_failures_open_nothing() -> None:
    breaker = Breaker()
    assert not any(breaker.fail(0.0, "failing") for _ in range(PLACE.least_failures - 1))
    assert breaker.lets(0.0)
    assert breaker.fail(0.0, "failing")
    assert not breaker.lets(0.0)


def test_a_small_share_of_failures_opens_nothing() -> None:
    breaker = Breaker()
    for number in range(200):
        if number % 3:
            breaker.succeed(0.0)
        else:
            breaker.fail(0.0, "failing")
    assert breaker.state(0.0) == "closed"


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker()
    for number in range(50):
        assert not breaker.fail(number * PLACE.window_s * 2, "failing")


def test_one_call_tries_and_its_success_closes() -> None:
    breaker = tripped()
    now = breaker.until
    assert (breaker.state(now), breaker.lets(now)) == ("half-open", True)
    breaker.begin(now)
    assert not breaker.lets(now)
    assert breaker.succeed(now + 1)
    assert breaker.state(now + 1) == "closed"


def test_a_try_that_fails_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    breaker, now, lengths = tripped(), 0.0, []
    for _ in range(12):
        lengths.append(breaker.until - now)
        now = breaker.until
        breaker.begin(now)
        assert breaker.fail(now, "failing")
    assert lengths[:4] == [5.0, 10.0, 20.0, 40.0]
    assert lengths[-1] == PLACE.longest_s


def test_a_try_that_says_nothing_leaves_the_next_one_try() -> None:
    breaker = tripped()
    breaker.begin(breaker.until)
    breaker.forgo()
    assert breaker.lets(breaker.until)


def test_a_try_that_never_ends_is_forgotten() -> None:
    breaker = tripped()
    breaker.begin(breaker.until)
    assert breaker.lets(breaker.until + TRY_WITHIN_S)


def test_failures_of_calls_from_before_do_not_lengthen_it() -> None:
    breaker = tripped()
    until = breaker.until
    assert not breaker.fail(1.0, "failing")
    assert breaker.until == until


@given(st.floats(0, 1e9))
def test_a_provider_is_left_alone_for_as_long_as_it_asks_within_reason(wait_s: float) -> None:
    breaker = Breaker()
    breaker.cool(100.0, wait_s)
    assert breaker.lets(100.0 + min(wait_s, LONGEST_COOLING_S))
    assert breaker.state(100.0) == "closed"
    if wait_s > 1:
        assert not breaker.lets(100.5)


@pytest.mark.parametrize("claimed", [False, True])
def test_where_another_process_may_try_this_one_waits_for_its_turn(claimed: bool) -> None:
    breaker = tripped()
    breaker.awaits_claim = not claimed
    assert breaker.lets(breaker.until) is claimed
