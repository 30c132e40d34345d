"""Two hundred calls at once over two processes, and a limit for ten: ten are served, whatever is limited (case 9)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.limits.pair import COST_NANO_USD, OUTPUT_TOKENS, Pair
from tests.services import session
from tests.services.processes import wait_until

pytestmark = [pytest.mark.server, pytest.mark.fleet]

CALLS, ROOM = 200, 10
SAMPLE, ALL = 3, 50


def quota(metric: str, window: str, limit: object) -> dict[str, Any]:
    return {"metric": metric, "window": window, "limit": limit}


def usd(calls: int) -> str:
    return f"{COST_NANO_USD * calls / 10**9:.6f}"


LIMITS = {
    "money": {"team": [quota("usd", "month", usd(ROOM))]},
    "requests": {"team": [quota("requests", "day", ROOM)]},
    "tokens": {"team": [quota("output_tokens", "day", ROOM * OUTPUT_TOKENS)]},
    "places": {"team": [quota("concurrent", "total", ROOM)]},
    "mixed": {
        "team": [quota("usd", "month", usd(13)), quota("requests", "day", 12), quota("concurrent", "total", 200)],
        "person": [quota("usd", "day", usd(ROOM)), quota("output_tokens", "day", 11 * OUTPUT_TOKENS)],
    },
}
HOARD = {
    "team": [
        quota("usd", "month", usd(100)),
        quota("requests", "day", 100),
        quota("total_tokens", "day", 10**6),
        quota("concurrent", "total", 90),
    ]
}


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two gateways, with fresh limits for every run of every test."""
    started = Pair(Path(tempfile.mkdtemp(prefix="pair-", dir=session.begin())))
    count = SAMPLE + ALL if any(item.get_closest_marker("soak") for item in request.session.items) else SAMPLE
    kinds = {**LIMITS, "hoard": HOARD}
    runs = {f"{kind}-{number}": limits for kind, limits in kinds.items() for number in range(count)}
    try:
        started.start(runs)
        yield started
    finally:
        started.stop()


def run(pair: Pair, kind: str, number: int) -> None:
    """One run: exactly as many as there is room for, and nothing of a limit is kept by calls that another refused."""
    name = f"run-{kind}-{number}"
    words = "fake:delay=1.5" if kind == "places" else "fake:delay=0.02"
    statuses = pair.calls(name, CALLS, words)
    refused = {402} if kind == "money" else {402, 429} if kind == "mixed" else {429}
    assert statuses[200] == ROOM, statuses
    assert statuses.keys() == {200, *(refused & statuses.keys())}
    if kind == "places":
        assert pair.calls(name, ROOM, "fake:delay=0.5") == {200: ROOM}, "places are free again"
    if kind == "mixed":
        wait_until(lambda: pair.left(name, "requests") == [2], what="return of what was refused", timeout_s=5)
        wait_until(lambda: pair.left(name, "output_tokens") == [OUTPUT_TOKENS], what="return of tokens", timeout_s=5)


def hoard(pair: Pair, number: int) -> None:
    """One process has worked and keeps slices; all that is left fits through the other."""
    name = f"run-hoard-{number}"
    for _ in range(10):
        assert pair.calls(name, 1, only=0) == {200: 1}
    assert pair.calls(name, 90, "fake:delay=1", only=1) == {200: 90}
    assert pair.calls(name, 4) in ({402: 4}, {429: 4})


def settled(pair: Pair) -> None:
    """What is settled is what the calls cost, and within every limit."""

    def quiet() -> bool:
        return pair.rows("SELECT count(*), sum(cost_nano_usd) FROM billing_usageevent") == [
            (len(pair.provider.served()), len(pair.provider.served()) * COST_NANO_USD)
        ]

    wait_until(quiet, what="drain", timeout_s=30)
    beyond = "SELECT count(*) FROM billing_balance b JOIN billing_quota q ON q.id = b.quota_id WHERE settled + leased > capacity"
    assert pair.rows(beyond) == [(0,)]
    exact = (
        "SELECT count(*) FROM billing_balance b JOIN billing_quota q ON q.id = b.quota_id WHERE q.scope_kind = 'team' AND"
        " settled <> (SELECT coalesce(sum(cost_nano_usd), 0) FROM billing_usageevent e WHERE e.team_id = q.scope_id)"
    )
    assert pair.rows(exact) == [(0,)]


@pytest.mark.parametrize("kind", LIMITS)
def test_ten_of_two_hundred(pair: Pair, kind: str) -> None:
    for number in range(SAMPLE):
        run(pair, kind, number)
    settled(pair)


def test_what_one_process_keeps_is_no_reason_to_refuse_at_the_other(pair: Pair) -> None:
    for number in range(SAMPLE):
        hoard(pair, number)
    settled(pair)


@pytest.mark.soak
@pytest.mark.parametrize("kind", LIMITS)
def test_ten_of_two_hundred_fifty_times(pair: Pair, kind: str) -> None:
    for number in range(SAMPLE, SAMPLE + ALL):
        run(pair, kind, number)
    settled(pair)


@pytest.mark.soak
def test_what_one_process_keeps_is_no_reason_to_refuse_fifty_times(pair: Pair) -> None:
    for number in range(SAMPLE, SAMPLE + ALL):
        hoard(pair, number)
    settled(pair)
