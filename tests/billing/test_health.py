"""Health of a model comes from our own calls of the last day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.health import health_of
from tests.factories.billing import UsageEventFactory

pytestmark = pytest.mark.django_db


def test_what_callers_did_wrong_is_not_the_models_fault(django_assert_num_queries) -> None:
    for latency, status in ((100, 200), (200, 200), (900, 200), (5, 400), (7, 499), (3000, 502), (20, 429)):
        UsageEventFactory(latency_ms=latency, ttft_ms=latency // 2, status=status)
    UsageEventFactory(status=500, at=timezone.now() - timedelta(hours=25))
    UsageEventFactory(status=500, model_id="mdl_other")
    with django_assert_num_queries(1):
        health = health_of("mdl_a")
    assert (health.calls, health.success_percent, health.latency_ms, health.ttft_ms) == (7, 60.0, 200, 100)


def test_no_calls_say_nothing() -> None:
    health = health_of("mdl_a")
    assert (health.calls, health.success_percent, health.latency_ms, health.ttft_ms) == (0, None, None, None)
