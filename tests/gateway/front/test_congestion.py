"""When a process refuses because it lags: by a clock of the test's own."""

import pytest

from gateway.errors import UnavailableError
from gateway.front.congestion import Congestion


def refused(congestion: Congestion, now: float, calls: int = 10) -> int:
    """Return how many of ten calls are refused."""
    count = 0
    for _ in range(calls):
        try:
            congestion.check(now)
        except UnavailableError:
            count += 1
    return count


def test_half_of_the_calls_are_refused_while_all_wait_too_long() -> None:
    congestion = Congestion(0.05)
    for tick in range(20):
        congestion.waited(0.06, 100 + tick / 100)
    assert refused(congestion, 100.2) == 5


@pytest.mark.parametrize(
    "waits",
    [
        [],
        [(0.0, 0.04), (0.2, 0.04)],
        [(0.0, 5.0)],  # a hiccup
        [(0.0, 5.0), (0.09, 5.0)],  # a short one
        [(0.0, 5.0), (0.2, 5.0), (0.3, 0.01)],  # over
    ],
)
def test_what_is_no_overload(waits: list[tuple[float, float]]) -> None:
    congestion = Congestion(0.05)
    for at, seconds in waits:
        congestion.waited(seconds, 100 + at)
    assert refused(congestion, 100.4) == 0


def test_it_forgets() -> None:
    congestion = Congestion(0.05)
    for tick in range(20):
        congestion.waited(0.06, 100 + tick / 100)
    assert refused(congestion, 102.0) == 0
