"""The order in which places are tried: weights within tolerance, sessions that stay, measurements that count."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing import choice
from gateway.routing.health import STALE_S, Health
from gateway.routing.policy import RoutePolicy
from gateway.snapshot import DeploymentPolicy, Price
from tests.factories.gateway import PRICE, deployment

WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8)


def places(*weights: int) -> list[DeploymentPolicy]:
    """Return places a, b, c… of these weights."""
    return [deployment("http://x", id=chr(97 + number), weight=weight) for number, weight in enumerate(weights)]


def ids(found: list[DeploymentPolicy]) -> str:
    return "".join(place.id for place in found)


@given(WEIGHTS, st.integers(0, 1_000))
def test_every_strategy_names_every_place_once(weights: list[int], seed: int) -> None:
    found = places(*weights)
    for strategy in ("weighted", "ordered", "least_latency", "least_busy", "cheapest", "sticky"):
        ordered = choice.ordered_by(
            RoutePolicy(strategy=strategy), found, health=Health(), now=1.0, choose=random.Random(seed).random,
            session=b"s", price_of=lambda _: PRICE, tokens=(10, 10),
        )  # fmt: skip
        assert sorted(ids(ordered)) == sorted(ids(found)), strategy


@given(st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(0, 50))
def test_the_first_choice_follows_the_weights(weights: list[int], seed: int) -> None:
    found, choose, calls = places(*weights), random.Random(seed).random, 2_000
    drawn = Counter(choice.weighted(found, choose)[0].id for _ in range(calls))
    for place in found:
        share = place.weight / sum(weights)
        assert abs(drawn[place.id] - share * calls) <= 6 * (calls * share * (1 - share)) ** 0.5 + 1


@given(st.lists(st.integers(1, 10), min_size=2, max_size=6), st.data())
def test_when_a_place_goes_only_its_own_sessions_move(weights: list[int], data: st.DataObject) -> None:
    found = places(*weights)
    gone = data.draw(st.sampled_from(found))
    left = [place for place in found if place is not gone]
    for number in range(100):
        before = choice.sticky(found, b"session %d" % number)
        after = choice.sticky(left, b"session %d" % number)
        assert ids(after) == ids([place for place in before if place is not gone])


def test_sessions_spread_by_weight() -> None:
    found = places(1, 3)
    drawn = Counter(choice.sticky(found, b"session %d" % number)[0].id for number in range(4_000))
    assert 2_850 < drawn["b"] < 3_150


def test_an_order_is_kept_and_the_rest_comes_last_heaviest_first() -> None:
    assert ids(choice.listed(places(1, 5, 2, 9), ["c", "a", "gone"])) == "cadb"


def test_the_fastest_goes_first_and_others_are_measured_now_and_then() -> None:
    health, found = Health(), places(1, 1)
    for ttfb_s, place in zip((0.9, 0.1), found, strict=True):
        health.of(place).measure(ttfb_s, 10.0)
    choose = random.Random(3).random
    drawn = Counter(choice.fastest(found, health, 11.0, choose)[0].id for _ in range(2_000))
    assert 10 < drawn["a"] < 100


def test_what_is_not_known_any_more_is_measured_by_one_call_at_a_time() -> None:
    health, found = Health(), places(1, 1)
    for place in found:
        health.of(place).measure(0.5, 10.0)
    health.of(found[1]).measure(0.6, 11.0 + STALE_S / 2)
    now = 11.0 + STALE_S
    assert ids(choice.fastest(found, health, now, lambda: 0.5)) == "ab"
    health.begin(found[0], now)
    assert ids(choice.fastest(found, health, now, lambda: 0.5)) == "ba"


def test_averages_follow_what_changes() -> None:
    vitals = Health().of(places(1)[0])
    for number in range(40):
        vitals.measure(0.1 if number < 20 else 1.0, float(number))
    assert 0.9 < vitals.expected_s(40.0) <= 1.0


def test_the_least_busy_in_proportion_to_weight() -> None:
    health, found = Health(), places(1, 4)
    for _ in range(3):
        health.begin(found[1], 0.0)
    assert ids(choice.idlest(found, health, lambda: 0.0)) == "ab"
    health.begin(found[0], 0.0)
    assert ids(choice.idlest(found, health, lambda: 0.0)) == "ba"


def test_the_cheapest_for_this_call() -> None:
    found = places(1, 1)
    prices = {"a": Price("p_a", 0.0, 10, 100), "b": Price("p_b", 0.0, 50, 20)}
    for tokens, first in (((1_000, 10), "a"), ((10, 1_000), "b")):
        assert choice.cheapest(found, lambda place: prices[place.id], tokens, lambda: 0.0)[0].id == first
