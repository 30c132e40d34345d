"""What is left of quotas: money from the ledger of this period, extras in force included."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from billing.models import Balance, QuotaExtra
from billing.remaining import remaining_of
from tests.factories.billing import QuotaFactory

pytestmark = pytest.mark.django_db
USD = 10**9


def at(*moment: int) -> time_machine.travel:
    return time_machine.travel(datetime(*moment, tzinfo=UTC), tick=False)


def test_money_is_what_the_ledger_of_this_period_says(settings) -> None:
    settings.BILLING_TIME_ZONE = "Europe/Berlin"
    quota = QuotaFactory()
    november, december = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) - 3600 for month in (11, 12))
    Balance.objects.create(quota=quota, period=november, settled=49 * USD, leased=USD)
    Balance.objects.create(quota=quota, period=december, settled=3 * USD)
    with at(2026, 11, 30, 22, 59):
        [one] = remaining_of([("team", "team_a")])
        assert (one.limit, one.spent, one.reserved, one.left) == (50 * USD, 49 * USD, USD, USD)
        assert one.resets_at == datetime(2026, 11, 30, 23, tzinfo=UTC)
    with at(2026, 11, 30, 23, 0):
        [one] = remaining_of([("team", "team_a")])
        assert (one.spent, one.left) == (3 * USD, 47 * USD)


def test_extras_in_force_count_and_debt_leaves_nothing() -> None:
    quota, now = QuotaFactory(window="total"), timezone.now()
    QuotaExtra.objects.create(quota=quota, amount=10 * USD, until=now + timedelta(days=1))
    QuotaExtra.objects.create(quota=quota, amount=20 * USD, until=now + timedelta(days=1), ended_at=now)
    QuotaExtra.objects.create(
        quota=quota, amount=40 * USD, starts=now - timedelta(days=2), until=now - timedelta(days=1)
    )
    Balance.objects.create(quota=quota, period=0, settled=61 * USD)
    [one] = remaining_of([("team", "team_a")])
    assert (one.limit, one.extra, one.left, one.resets_at) == (60 * USD, 10 * USD, 0, None)


def test_rates_show_their_limit_only() -> None:
    QuotaFactory(metric="requests", window="minute", capacity=600)
    [one] = remaining_of([("team", "team_a")])
    assert (one.limit, one.spent, one.left) == (600, None, None)


def test_scopes_keep_their_order_and_cost_three_queries(django_assert_num_queries) -> None:
    for n in range(5):
        QuotaFactory(scope_kind="key", scope_id=f"key_{n}")
    QuotaFactory()
    with django_assert_num_queries(3):
        found = remaining_of([("key", "key_3"), ("team", "team_a"), ("key", "key_1"), ("user", "key_2")])
    assert [one.quota.scope_id for one in found] == ["key_3", "team_a", "key_1"]
    assert remaining_of([]) == []
