"""Soft thresholds: noted from the ledger once a period, told once to whom it concerns, however often the task runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.models import Balance, Quota, QuotaExtra, QuotaNotice
from billing.rollup import roll_up
from billing.thresholds import note_crossed
from portal.keys import tasks
from portal.keys.models import Notice
from portal.people.models import Team, User
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory, UsageEventFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import member_of, minted, team_with
from tests.factories.people import ApplicationFactory, person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db
USD = 10**9
SHARES = [50, 80, 100]
NOVEMBER, DECEMBER = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (11, 12))


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", slug="search", name="Search")


@pytest.fixture
def lead(team: Team) -> User:
    return person_as(Role.LEAD, team=team, email="lead@example.com")


def spend(quota: Quota, usd: float, period: int = 0) -> None:
    Balance.objects.update_or_create(quota=quota, period=period, defaults={"settled": int(usd * USD)})


def told() -> list[tuple[str, str]]:
    return [(notice.user.email, notice.words) for notice in Notice.objects.order_by("created_at", "topic")]


def test_each_share_is_told_once_a_period_in_portal_and_by_mail(team: Team, lead: User) -> None:
    quota = QuotaFactory(scope_id=team.pk, notify_percent=SHARES)
    with time_machine.travel(datetime(2026, 11, 10, tzinfo=UTC), tick=False):
        for usd, count in ((24.99, 0), (25, 1), (30, 1), (41, 2), (50, 3), (50.01, 3)):
            spend(quota, usd, NOVEMBER)
            for _ in range(3):
                tasks.tell_limits()
            assert Notice.objects.count() == count, usd
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
        tasks.tell_limits()
        assert Notice.objects.count() == 3
        spend(quota, 26, DECEMBER)
        tasks.tell_limits()
        assert "50 % of $50.00 per month" in text(signed_in(lead).get("/"))
    assert sorted(words for _, words in told()) == [
        "Search: 50 % of $50.00 per month is used. At 100 % calls are refused.",
        "Search: 50 % of $50.00 per month is used. At 100 % calls are refused.",
        "Search: 80 % of $50.00 per month is used. At 100 % calls are refused.",
        "Search: the limit of $50.00 per month is used up, and calls are refused.",
    ]
    tasks.send_mail()
    assert [message.to for message in mail.outbox] == [["lead@example.com"]] * 4


def test_of_several_shares_at_once_the_highest_is_told(team: Team, lead: User) -> None:
    spend(QuotaFactory(scope_id=team.pk, window="total", notify_percent=SHARES), 45)
    tasks.tell_limits()
    assert [words for _, words in told()] == ["Search: 80 % of $50.00 in total is used. At 100 % calls are refused."]
    assert QuotaNotice.objects.filter(told_at__isnull=False).count() == 2


def test_extras_count_and_shares_that_nobody_wants_are_not_told(team: Team, lead: User) -> None:
    quota = QuotaFactory(scope_id=team.pk, window="total", notify_percent=[60])
    extra = QuotaExtra.objects.create(quota=quota, amount=50 * USD, until=timezone.now() + timedelta(days=1))
    silent = QuotaFactory(scope_id=team.pk, window="day")
    spend(quota, 55)
    spend(silent, 55, int(datetime.combine(timezone.now().date(), datetime.min.time(), UTC).timestamp()))
    tasks.tell_limits()
    assert not told()
    extra.delete()
    tasks.tell_limits()
    assert len(told()) == 1


def test_who_is_told_and_what_comes_then(team: Team, lead: User) -> None:
    ada, cheap = member_of(team, email="ada@example.com"), ServedModelFactory(display_name="Chat tiny")
    key, _ = minted(ada, team)
    person_as(Role.FINANCE, email="finance@example.com")
    person_as(Role.PLATFORM_ADMIN, email="admin@example.com")
    person_as(Role.FINANCE, email="blocked@example.com", status=User.Status.BLOCKED)
    owned = ApplicationFactory(team=team, owner=ada, name="Bot")
    scopes = {
        ("user", ada.pk): {"ada@example.com"}, ("key", key.pk): {"ada@example.com"},
        ("application", owned.pk): {"ada@example.com"}, ("application", ApplicationFactory(team=team).pk): {"lead@example.com"},
        ("team", team.pk): {"lead@example.com"}, ("team", team_with().pk): {"finance@example.com", "admin@example.com"},
        ("organisation", "org"): {"finance@example.com", "admin@example.com"},
        ("model", cheap.pk): {"finance@example.com", "admin@example.com"},
    }  # fmt: skip
    for (kind, one), people in scopes.items():
        Notice.objects.all().delete()
        spend(QuotaFactory(scope_kind=kind, scope_id=one, window="total", notify_percent=SHARES), 50)
        tasks.tell_limits()
        assert {who for who, _ in told()} == people, kind
        for notice in Notice.objects.select_related("user"):
            assert signed_in(notice.user).get(notice.path).status_code == 200, notice.path
    pair = QuotaFactory(scope_id=team.pk, window="total", model_id=cheap.pk, notify_percent=[10])
    pair.step_down_model_id = ServedModelFactory(display_name="Chat nano").pk
    pair.save()
    spend(pair, 6)
    Notice.objects.all().delete()
    tasks.tell_limits()
    assert [words for _, words in told()] == [
        "Search with Chat tiny: 10 % of $50.00 in total is used. At 100 % calls go on with Chat nano."
    ]


def test_requests_and_tokens_are_told_from_the_roll_ups(team: Team, lead: User) -> None:
    requests = QuotaFactory(
        scope_id=team.pk, metric="requests", window="day", capacity=4, notify_percent=[50], model_id="mdl_a"
    )
    tokens = QuotaFactory(
        scope_id=team.pk, metric="total_tokens", window="hour", capacity=1000, notify_percent=[24, 25]
    )
    with time_machine.travel(datetime(2026, 11, 10, 12, 30, tzinfo=UTC), tick=False):
        UsageEventFactory(team_id=team.pk)  # 100 in, 20 out
        UsageEventFactory(team_id=team.pk, model_id="mdl_b")
        UsageEventFactory(team_id="team_other")
        UsageEventFactory(team_id=team.pk, at=timezone.now() - timedelta(days=1))
        roll_up()
        tasks.tell_limits()
        assert list(QuotaNotice.objects.values_list("quota", "percent", "spent")) == [(tokens.pk, 24, 240)]
        UsageEventFactory(team_id=team.pk)
        roll_up()
        tasks.tell_limits()
    assert set(QuotaNotice.objects.values_list("quota", "percent")) == {
        (tokens.pk, 24), (tokens.pk, 25), (requests.pk, 50)
    }  # fmt: skip


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    capacity=st.integers(1, 10**15),
    shares=st.lists(st.integers(1, 100), unique=True, min_size=1, max_size=5).map(sorted),
    steps=st.lists(st.integers(0, 130), min_size=1, max_size=5),
)
@example(capacity=3, shares=[33, 34, 66, 67], steps=[33, 34, 67])
def test_shares_are_exact_whatever_the_amounts(capacity: int, shares: list[int], steps: Sequence[int]) -> None:
    Quota.objects.all().delete()
    quota = QuotaFactory(capacity=capacity, window="total", notify_percent=shares)
    highest = 0
    for step in steps:
        settled = capacity * step // 100
        Balance.objects.update_or_create(quota=quota, period=0, defaults={"settled": settled})
        note_crossed()
        assert note_crossed() == 0
        highest = max(highest, settled)
        reached = {share for share in shares if highest * 100 >= share * capacity and highest > 0}
        assert set(QuotaNotice.objects.values_list("percent", flat=True)) == reached
