"""Redis stands still, dies or forgets: no money beyond a budget, and nobody is refused afterwards by a phantom (case 11)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.limits.pair import Pair
from tests.gateway.limits.test_overshoot import quota, usd
from tests.services import session
from tests.services.processes import wait_until
from tests.services.redis import OwnRedis

pytestmark = [pytest.mark.server, pytest.mark.fleet]

HAPPENINGS = ("paused", "killed", "flushed")
LIMITS = {
    "team": [
        quota("usd", "month", usd(100)),
        quota("requests", "day", 100),
        quota("output_tokens", "day", 10_000),
        quota("concurrent", "total", 40),
    ]
}
TIGHT = {"team": [quota("usd", "month", usd(10)), quota("requests", "day", 10_000)]}


@pytest.fixture(scope="module")
def redis() -> Iterator[OwnRedis]:
    own = OwnRedis(Path(tempfile.mkdtemp(prefix="redis-", dir=session.begin()))).start()
    yield own
    own.kill()


@pytest.fixture(scope="module")
def pair(redis: OwnRedis) -> Iterator[Pair]:
    """Two gateways, with fresh limits for each happening."""
    started = Pair(Path(tempfile.mkdtemp(prefix="pair-", dir=session.begin())), REDIS_URL=redis.url)
    try:
        started.start({f"{kind}-{name}": of for name in HAPPENINGS for kind, of in (("any", LIMITS), ("tight", TIGHT))})
        yield started
    finally:
        redis.resume()
        started.stop()


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_what_happens_to_redis_passes_no_budget_and_leaves_no_phantom(
    pair: Pair, redis: OwnRedis, happening: str
) -> None:
    name, tight = f"run-any-{happening}", f"run-tight-{happening}"
    assert pair.calls(name, 20) == {200: 20}
    if happening == "flushed":
        redis.flush()
    else:
        redis.pause() if happening == "paused" else redis.kill()
    assert pair.calls(name, 20, "fake:delay=0.2") == {200: 20}, "each process goes on alone, within a quarter"
    assert pair.calls(tight, 200)[200] == 10, "money knows nothing of Redis"
    if happening == "killed":
        redis.start()
    redis.resume()
    for gateway in (0, 1):  # what the other one has in hand does not show as left

        def known(at: int = gateway) -> bool:
            requests, places = (int(pair.left(name, metric, at)[0]) for metric in ("requests", "concurrent"))
            return 50 <= requests <= 60 and places >= 30

        wait_until(known, what="count of what was used before and meanwhile", timeout_s=20)
    assert pair.calls(name, 40, "fake:delay=0.5") == {200: 40}, "what is left is for whoever comes"
    assert pair.calls(name, 20) == {200: 20}
    assert pair.calls(name, 4) == {429: 4}
