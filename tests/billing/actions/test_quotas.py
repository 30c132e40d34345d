"""Quotas are set, changed, added to and removed by actions that say no in words and leave a trail."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.actions.quotas import add_extra, end_extra, remove_quota, set_quota
from billing.models import Balance, Lease, Quota, QuotaExtra
from billing.quota_rules import QuotaError
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Change, Team
from tests.factories.catalog import ModelFactory, PriceFactory, ServedModelFactory

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


def test_editing_what_is_not_the_limit_keeps_id_window_counts_and_leases() -> None:
    quota, model = team_quota(), ServedModelFactory()
    balance = Balance.objects.create(quota=quota, period=0, settled=7, leased=5)
    lease = Lease.objects.create(balance=balance, incarnation="gw_1", amount=5)
    place = {"scope_kind": "team", "scope_id": quota.scope_id, "metric": "usd", "window": "month", "capacity": 50 * USD}
    set_quota(actor=ACTOR, **place, notify_percent=[90])  # type: ignore[arg-type]
    told = AuditEvent.objects.order_by("at").last()
    assert (told.before["notify_percent"], told.after["notify_percent"]) == ([50, 80, 100], [90])
    assert told.revision is None, "gateways need not hear of who is told"
    set_quota(actor=ACTOR, **place, step_down_model_id=model.pk)  # type: ignore[arg-type]
    assert AuditEvent.objects.order_by("at").last().after["step_down"] == model.slug
    again = Quota.objects.get()
    assert (again.pk, again.window, again.capacity) == (quota.pk, "month", 50 * USD)
    assert (again.notify_percent, again.step_down_model_id) == ([90], model.pk)
    assert Balance.objects.values_list("quota", "settled", "leased").get() == (quota.pk, 7, 5)
    assert Lease.objects.values_list("pk", "amount").get() == (lease.pk, 5)


def test_a_pair_is_a_limit_of_its_own() -> None:
    quota, model = team_quota(), ServedModelFactory()
    place = {"scope_kind": "team", "scope_id": quota.scope_id, "metric": "usd", "window": "month", "capacity": USD}
    pair = set_quota(actor=ACTOR, **place, model_id=model.pk)  # type: ignore[arg-type]
    assert pair.pk != quota.pk
    assert AuditEvent.objects.order_by("at").last().after["model"] == model.slug
    assert set_quota(actor=ACTOR, **place | {"capacity": 2 * USD}, model_id=model.pk).pk == pair.pk  # type: ignore[arg-type]
    assert Quota.objects.get(pk=quota.pk).capacity == 50 * USD


@pytest.mark.parametrize("metric", ["usd", "requests", "input_tokens", "output_tokens", "total_tokens"])
@pytest.mark.parametrize("window", Quota.Window.values)
def test_every_metric_goes_with_every_window(metric: str, window: str) -> None:
    assert team_quota(5, metric, window).window == window


def test_calls_go_on_with_an_approved_cheaper_model_only() -> None:
    quota = team_quota()
    dear, cheap = (PriceFactory(input=rate, output=rate).model for rate in (9 * USD, USD))
    place = {"scope_kind": "team", "scope_id": quota.scope_id, "metric": "usd", "window": "month", "capacity": USD}
    unpriced, preview = ModelFactory(), PriceFactory(model__stage="preview").model
    for model_id, step_down, words in (
        (cheap.pk, dear.pk, "is dearer than the model"),
        (cheap.pk, cheap.pk, "choose a cheaper one"),
        ("", unpriced.pk, "has no price"),
        ("", preview.pk, "is preview: calls go on only with an approved model"),
    ):
        with pytest.raises(QuotaError, match=words):
            set_quota(actor=ACTOR, **place, model_id=model_id, step_down_model_id=step_down)  # type: ignore[arg-type]
    pair = set_quota(actor=ACTOR, **place, model_id=dear.pk, step_down_model_id=cheap.pk)  # type: ignore[arg-type]
    assert pair.step_down_model_id == cheap.pk
    with pytest.raises(QuotaError, match="choose a cheaper one"):
        set_quota(
            actor=ACTOR, scope_kind="model", scope_id=dear.pk, metric="usd", window="day", capacity=1,
            step_down_model_id=dear.pk,
        )  # fmt: skip


def test_setting_what_holds_writes_nothing() -> None:
    team_quota()
    events, changes = AuditEvent.objects.count(), Change.objects.count()
    team_quota()
    assert (AuditEvent.objects.count(), Change.objects.count()) == (events, changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": "fortnight"}, "Money .USD. cannot be limited by .fortnight.; use one of second, minute, hour, day"),
        ({"metric": "concurrent"}, "Calls at once cannot be limited by .month.; use one of total"),
        ({"scope_kind": "model", "model_id": "mdl_1"}, "is the limit of that model"),
        ({"scope_kind": "organisation", "model_id": "mdl_1"}, "is the limit of that model"),
        ({"model_id": "mdl_gone"}, "There is no model"),
        ({"step_down_model_id": "mdl_gone"}, "There is no model .mdl_gone. to go on with"),
        ({"notify_percent": [101]}, "shares of 1 to 100 percent"),
        ({"notify_percent": list(range(1, 12))}, "10 times a period at most"),
        ({"window": "minute", "notify_percent": [50]}, "comes and goes"),
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
