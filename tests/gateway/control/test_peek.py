"""Pages ask Redis what is left of rates, beside the gateways that hand them out."""

import asyncio

import pytest
from django.utils import timezone

from billing.remaining import remaining_of
from gateway.control.compile import policies
from gateway.control.peek import rates_left
from gateway.stores.redis import RedisRateStore
from tests.factories.billing import QuotaFactory
from tests.services.processes import free_port

pytestmark = pytest.mark.django_db


def test_what_every_gateway_took_is_left_out(fresh_redis: str, settings) -> None:
    settings.REDIS_URL = fresh_redis
    calls = QuotaFactory(metric="requests", window="total", capacity=100)
    slots = QuotaFactory(metric="concurrent", window="total", capacity=8)

    quotas, now = policies([calls, slots]), timezone.now().timestamp()
    with asyncio.Runner() as runner:
        for number in (3, 2):
            store = RedisRateStore(fresh_redis)
            runner.run(store.take([(policy, number) for policy in quotas], now))
            left = rates_left([calls, slots])  # while the calls are in flight
            assert left[slots.pk] <= 8 - number
            assert left[calls.pk] <= 100 - number
            runner.run(store.aclose())
    left = {one.quota.pk: one.left for one in remaining_of([("team", "team_a")], None)}
    assert left[slots.pk] == 8, "a process that ended holds no place"
    assert left[calls.pk] <= 95


def test_redis_that_is_away_is_told_as_not_known(settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    QuotaFactory(metric="requests", window="minute", capacity=100)
    [one] = remaining_of([("team", "team_a")], None)
    assert (one.limit, one.spent, one.left) == (100, None, None)
