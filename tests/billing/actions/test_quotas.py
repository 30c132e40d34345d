"""Quotas are set, changed, added to and removed by actions that say no in words and leave a trail."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.actions.quotas import QuotaError, add_extra, end_extra, remove_quota, set_quota
from billing.models import Balance, Quota, QuotaExtra
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Change, Team

pytestmark = pytest.mark.django_db
ACTOR = Actor("command")
USD = 10**9


def team_quota(capacity: int = 50 * USD, metric: str = "usd", window: str = "month") -> Quota:
    team, _ = Team.objects.get_or_create(slug="search", defaults={"name": "Search"})
    return set_quota(actor=ACTOR, scope_kind="team", scope_id=team.pk, metric=metric, window=window, capacity=capacity)


def test_a_new_quota_is_audited_and_told_to_gateways() -> None:
    quota = team_quota()
    event = AuditEvent.objects.get(event="command:quota:set")
    assert (event.target_id, event.team_id, event.before) == (quota.pk, quota.scope_id, {})
    assert event.after["capacity"] == "50.00 USD"
    assert Change.objects.filter(revision=event.revision).values_list("kind", "entity_id").get() == ("quota", quota.pk)


def test_a_change_keeps_the_row_and_its_balance() -> None:
    quota = team_quota()
    Balance.objects.create(quota=quota, period=0, settled=7)
    again = team_quota(capacity=60 * USD)
    assert again.pk == quota.pk
    assert Quota.objects.get().capacity == 60 * USD
    assert Balance.objects.get(quota=quota).settled == 7
    assert AuditEvent.objects.order_by("at").last().before["capacity"] == "50.00 USD"


def test_setting_what_holds_writes_nothing() -> None:
    team_quota()
    events, changes = AuditEvent.objects.count(), Change.objects.count()
    team_quota()
    assert (AuditEvent.objects.count(), Change.objects.count()) == (events, changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": "minute"}, "Money .USD. cannot be limited by .minute.; use one of day, week, month"),
        ({"metric": "requests"}, "Requests cannot be limited by .month.; use one of second, minute, hour, day"),
        ({"metric": "concurrent"}, "Calls at once cannot be limited"),
        ({"metric": "luck"}, ".luck. cannot be limited; use one of usd"),
        ({"scope_kind": "planet"}, ".planet. has no limits"),
        ({"scope_id": "team_nobody"}, "There is no team"),
        ({"capacity": -1}, "0 or more"),
        ({"capacity": 2**63}, "at most 9,000,000,000 USD"),
        ({"capacity": 1.5}, "whole number"),
        ({"capacity": True}, "whole number"),
    ],
)
def test_what_cannot_be_a_quota_is_refused_in_words(change: dict[str, object], words: str) -> None:
    team = Team.objects.create(slug="search", name="Search")
    asked = {"scope_kind": "team", "scope_id": team.pk, "metric": "usd", "window": "month", "capacity": 1} | change
    with pytest.raises(QuotaError, match=words):
        set_quota(actor=ACTOR, **asked)  # type: ignore[arg-type]
    assert not Quota.objects.exists()
    assert not AuditEvent.objects.exists()


def test_an_extra_holds_until_it_is_ended() -> None:
    quota, now = team_quota(), timezone.now()
    extra = add_extra(actor=ACTOR, quota=quota, amount=5 * USD, until=now + timedelta(days=1), request_id="xr_1")
    assert list(quota.extras.in_force(timezone.now())) == [extra]
    assert not quota.extras.in_force(now + timedelta(days=2)).exists()
    end_extra(actor=ACTOR, extra=extra)
    assert not quota.extras.in_force(timezone.now()).exists()
    ended = AuditEvent.objects.filter(event="command:quota:end_extra")
    assert ended.count() == 1
    end_extra(actor=ACTOR, extra=QuotaExtra.objects.get())
    assert ended.count() == 1


@pytest.mark.parametrize(("amount", "days"), [(0, 1), (-5, 1), (5, -1)])
def test_an_extra_that_adds_nothing_is_refused(amount: int, days: int) -> None:
    quota = team_quota()
    with pytest.raises(QuotaError):
        add_extra(actor=ACTOR, quota=quota, amount=amount, until=timezone.now() + timedelta(days=days))
    assert not QuotaExtra.objects.exists()


def test_removing_a_quota_takes_its_balances_and_tells_gateways() -> None:
    quota = team_quota()
    Balance.objects.create(quota=quota, period=0, settled=7)
    remove_quota(actor=ACTOR, quota=Quota.objects.get())
    assert not Quota.objects.exists()
    assert not Balance.objects.exists()
    event = AuditEvent.objects.get(event="command:quota:remove")
    assert event.before["capacity"] == "50.00 USD"
    assert Change.objects.filter(revision=event.revision, kind="quota", entity_id=quota.pk).exists()
