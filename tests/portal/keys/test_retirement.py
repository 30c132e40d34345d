"""Who would miss a model: counted from what was rolled up, and told once."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from billing.models import RollupDay
from catalog.actions.access import add_team_model
from portal.keys.actions.keys import mint_key, revoke_key
from portal.keys.models import Key, Notice
from portal.keys.retirement import impact_of, tell_owners
from portal.people.models import AuditEvent, Team, User
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.factories.billing import UsageEventFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.people import SYSTEM, MembershipFactory, TeamFactory, UserFactory, acting, person_as

pytestmark = pytest.mark.django_db


def called(model_id: str, key: Key, requests: int, days_ago: int = 1) -> None:
    zero = dict.fromkeys(
        (
            "errors",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "estimated",
        ),
        0,
    )
    RollupDay.objects.create(
        day=(timezone.now() - timedelta(days=days_ago)).date(), team_id=key.team_id, user_id=key.owner_id, key_id=key.pk,
        model_id=model_id, provider_id="p", requests=requests, cost_nano_usd=requests * 10**9, **zero,
    )  # fmt: skip


def a_key(team: Team, owner: User, name: str) -> Key:
    MembershipFactory(team=team, user=owner)
    until = timezone.now() + timedelta(days=7)
    return mint_key(actor=SYSTEM, owner=owner, team=team, name=name, models=None, expires_at=until)[0]


def test_traffic_of_thirty_days_is_summed_and_owners_are_told_once() -> None:
    model, team = ServedModelFactory(), TeamFactory(name="Search")
    add_team_model(actor=SYSTEM, team=team, model=model)
    busy, idle, gone = (a_key(team, UserFactory(), name) for name in ("busy", "idle", "gone"))
    called(model.pk, busy, 5)
    called(model.pk, busy, 2, days_ago=40)
    called(model.pk, gone, 1)
    revoke_key(actor=SYSTEM, key=gone)
    impact = impact_of(model)
    assert (impact.requests, impact.cost, impact.keys, impact.allowed, impact.owners) == (6, 6 * 10**9, 2, 2, 1)
    assert impact.teams == ("Search",)
    assert [(one.key.name, one.requests) for one in impact.callers] == [("busy", 5), ("gone", 1)]
    assert idle.pk not in {one.key.pk for one in impact.callers}
    for _ in range(2):
        assert tell_owners(actor=SYSTEM, model=model) == 1
    assert Notice.objects.get().user == busy.owner
    assert AuditEvent.objects.filter(event="command:model:tell_owners").exists()
    with pytest.raises(PermissionDenied):
        tell_owners(actor=acting(person_as(Role.LEAD)), model=model)


def test_whoever_asked_for_it_and_was_sent_elsewhere_would_miss_it_too() -> None:
    model, team = ServedModelFactory(), TeamFactory(name="Search")
    add_team_model(actor=SYSTEM, team=team, model=model)
    key = a_key(team, UserFactory(), "sent on")
    for attempt in (1, 2):  # the second: a fallback after the model itself had failed
        UsageEventFactory(
            model_id="mdl_new", asked_model_id=model.pk, key_id=key.pk, team_id=team.pk, at=timezone.now(),
            attempt=attempt, cost_nano_usd=10**9,
        )  # fmt: skip
    impact = impact_of(model)
    assert (impact.requests, impact.elsewhere, impact.cost, impact.teams) == (1, 1, 10**9, ("Search",))
    assert [(one.key.name, one.requests) for one in impact.callers] == [("sent on", 1)]
    client = signed_in(person_as(Role.PLATFORM_ADMIN))
    for name in ("catalog-admin-model-retire", "catalog-admin-model-impact"):
        assert "another model answered 1" in page(client, reverse(name, args=[model.pk]))
    assert tell_owners(actor=SYSTEM, model=model) == 1


def test_the_pages_say_so() -> None:
    client, model, team = signed_in(person_as(Role.PLATFORM_ADMIN)), ServedModelFactory(), TeamFactory(name="Search")
    retire = reverse("catalog-admin-model-retire", args=[model.pk])
    impact = reverse("catalog-admin-model-impact", args=[model.pk])
    assert "Nobody called it in the last 30 days" in page(client, retire)
    assert "without anybody noticing" in page(client, impact)
    called(model.pk, a_key(team, UserFactory(), "busy"), 5)
    assert "1 key of Search made 5 calls for $5.00" in page(client, retire)
    assert "busy" in page(client, impact)
    client.post(impact)
    assert Notice.objects.count() == 1
