"""What is left of quotas: money from the ledger of this period, extras in force included."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from billing.models import Balance, QuotaExtra
from billing.remaining import remaining_of
from gateway.control.compile import policies
from gateway.control.peek import local_rates
from gateway.stores.memory import MemoryRateStore
from portal.people.access import viewer_of
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.people import person_as

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
        [one] = remaining_of([("team", "team_a")], None)
        assert (one.limit, one.spent, one.reserved, one.left) == (50 * USD, 49 * USD, USD, USD)
        assert one.resets_at == datetime(2026, 11, 30, 23, tzinfo=UTC)
    with at(2026, 11, 30, 23, 0):
        [one] = remaining_of([("team", "team_a")], None)
        assert (one.spent, one.left) == (3 * USD, 47 * USD)


def test_extras_in_force_count_and_debt_leaves_nothing() -> None:
    quota, now = QuotaFactory(window="total"), timezone.now()
    QuotaExtra.objects.create(quota=quota, amount=10 * USD, until=now + timedelta(days=1))
    QuotaExtra.objects.create(quota=quota, amount=20 * USD, until=now + timedelta(days=1), ended_at=now)
    QuotaExtra.objects.create(
        quota=quota, amount=40 * USD, starts=now - timedelta(days=2), until=now - timedelta(days=1)
    )
    Balance.objects.create(quota=quota, period=0, settled=61 * USD)
    [one] = remaining_of([("team", "team_a")], None)
    assert (one.limit, one.extra, one.left, one.resets_at) == (60 * USD, 10 * USD, 0, None)


def test_rates_are_what_those_say_who_count_them(settings) -> None:
    settings.REDIS_URL = ""  # in the gateway of this process
    quota = QuotaFactory(metric="requests", window="minute", capacity=600)
    [one] = remaining_of([("team", "team_a")], None)
    assert (one.limit, one.spent, one.left, one.crossed) == (600, None, None, 0), "nobody counts here"
    rates, [policy] = MemoryRateStore(), policies([quota])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def count() -> None:
        await rates.take([(policy, 150)], timezone.now().timestamp())
        local_rates.offer(rates)

    try:
        asyncio.run_coroutine_threadsafe(count(), loop).result()
        [one] = remaining_of([("team", "team_a")], None)
        assert (one.limit, one.spent, one.left, one.percent) == (600, 150, 450, 25)
    finally:
        local_rates.withdraw()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_companys_money_is_told_to_those_who_may_see_budgets() -> None:
    model = ServedModelFactory()
    QuotaFactory(scope_kind="organisation", scope_id="org", notify_percent=[50])
    QuotaFactory(scope_kind="organisation", scope_id="org", metric="requests", window="minute", capacity=9)
    QuotaFactory(scope_kind="model", scope_id=model.pk)
    scopes = [("organisation", "org"), ("model", model.pk)]
    for role, hidden in ((Role.EMPLOYEE, True), (Role.LEAD, True), (Role.FINANCE, False), (Role.AUDITOR, False)):
        money, rate, of_model = remaining_of(scopes, viewer_of(person_as(role)))
        assert (money.hidden, of_model.hidden, rate.hidden) == (hidden, hidden, False)
        assert (money.limit, money.left) == ((0, None) if hidden else (50 * USD, 50 * USD))
        assert rate.limit == 9


def test_pairs_with_other_models_are_left_out_where_one_model_is_meant() -> None:
    small, large = ServedModelFactory(), ServedModelFactory()
    for model_id in ("", small.pk, large.pk):
        QuotaFactory(model_id=model_id)
    found = remaining_of([("team", "team_a")], None, small.pk)
    assert {one.quota.model_id for one in found} == {"", small.pk}
    assert len(remaining_of([("team", "team_a")], None)) == 3


def test_scopes_keep_their_order_and_cost_three_queries(django_assert_num_queries) -> None:
    for n in range(5):
        QuotaFactory(scope_kind="key", scope_id=f"key_{n}")
    QuotaFactory()
    with django_assert_num_queries(3):
        found = remaining_of([("key", "key_3"), ("team", "team_a"), ("key", "key_1"), ("user", "key_2")], None)
    assert [one.quota.scope_id for one in found] == ["key_3", "team_a", "key_1"]
    assert remaining_of([], None) == []
