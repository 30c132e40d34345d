"""Who may set which limit: asked by the actions themselves, whatever page or program calls them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from billing.actions.quotas import add_extra, end_extra, remove_quota, set_quota
from billing.models import Quota
from catalog.actions.access import end_grant, grant_model
from portal.people.models import Team, User
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import KeyFactory
from tests.factories.people import ApplicationFactory, TeamFactory, UserFactory, acting, person_as

pytestmark = pytest.mark.django_db
USD = 10**9


@pytest.fixture
def team() -> Team:
    return TeamFactory(slug="search")


@pytest.fixture
def lead(team: Team) -> User:
    return person_as(Role.LEAD, team=team)


def put(who: User, scope: tuple[str, str], capacity: int, **more: object) -> Quota:
    return set_quota(
        actor=acting(who), scope_kind=scope[0], scope_id=scope[1], metric="usd", window="month", capacity=capacity,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def refused(action: Callable[[], object]) -> str:
    before = list(Quota.objects.values())
    with pytest.raises(PermissionDenied) as found:
        action()
    assert list(Quota.objects.values()) == before
    return str(found.value)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.PLATFORM_ADMIN])
def test_finance_and_admins_set_raise_and_remove_everything(team: Team, role: Role) -> None:
    who = person_as(role)
    quota = put(who, ("team", team.pk), 50 * USD)
    assert put(who, ("team", team.pk), 70 * USD).pk == quota.pk
    extra = add_extra(actor=acting(who), quota=quota, amount=1, until=timezone.now() + timedelta(days=1))
    end_extra(actor=acting(who), extra=extra)
    remove_quota(actor=acting(who), quota=quota)
    assert not Quota.objects.exists()


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.AUDITOR, Role.LEAD])
def test_nobody_else_does(team: Team, role: Role) -> None:
    who, quota = person_as(role), QuotaFactory(scope_id=team.pk)
    extra = add_extra(actor=acting(person_as(Role.FINANCE)), quota=quota, amount=1, until=timezone.now() + timedelta(1))
    for action in (
        lambda: put(who, ("team", team.pk), 1),
        lambda: put(who, ("organisation", "org"), 1),
        lambda: remove_quota(actor=acting(who), quota=quota),
        lambda: add_extra(actor=acting(who), quota=quota, amount=1, until=timezone.now() + timedelta(days=1)),
        lambda: end_extra(actor=acting(who), extra=extra),
    ):
        assert "finance and platform admins" in refused(action)
    blocked = person_as(Role.FINANCE, status=User.Status.BLOCKED)
    assert "taken away" in refused(lambda: put(blocked, ("team", team.pk), 1))


def test_a_lead_tightens_within_the_team(team: Team, lead: User) -> None:
    finance, model = person_as(Role.FINANCE), ServedModelFactory()
    quota = put(finance, ("team", team.pk), 50 * USD)
    assert put(lead, ("team", team.pk), 40 * USD).pk == quota.pk
    assert "lower this limit, not raise it" in refused(lambda: put(lead, ("team", team.pk), 50 * USD))
    assert "ask finance" in refused(lambda: put(lead, ("team", team.pk), 40 * USD, step_down_model_id=model.pk))
    put(lead, ("team", team.pk), 40 * USD, notify_percent=[75])
    assert "finance and platform admins" in refused(lambda: remove_quota(actor=acting(lead), quota=quota))
    for scope in (
        ("application", ApplicationFactory(team=team).pk),
        ("key", KeyFactory(team=team).pk),
    ):
        assert put(lead, scope, USD).by_lead
    for scope in (
        ("team", TeamFactory().pk),
        ("application", ApplicationFactory().pk),
        ("key", KeyFactory().pk),
        ("user", UserFactory().pk),
        ("model", model.pk),
        ("organisation", "org"),
    ):
        assert "their own team" in refused(lambda scope=scope: put(lead, scope, USD))


def test_what_a_lead_set_leads_also_raise_and_remove_until_finance_takes_it_over(team: Team, lead: User) -> None:
    model, other = ServedModelFactory(), person_as(Role.LEAD, team=team)
    pair = put(lead, ("team", team.pk), USD, model_id=model.pk)
    assert put(other, ("team", team.pk), 9 * USD, model_id=model.pk).capacity == 9 * USD
    put(person_as(Role.FINANCE), ("team", team.pk), 5 * USD, model_id=model.pk)
    assert "not raise it" in refused(lambda: put(lead, ("team", team.pk), 6 * USD, model_id=model.pk))
    assert "finance and platform admins" in refused(lambda: remove_quota(actor=acting(lead), quota=pair))
    own = put(lead, ("team", team.pk), USD)
    remove_quota(actor=acting(other), quota=own)
    assert list(Quota.objects.all()) == [pair]


def test_a_lead_raises_only_what_was_asked_for_and_grants_only_for_the_team(team: Team, lead: User) -> None:
    soon, quota, model = timezone.now() + timedelta(days=1), QuotaFactory(scope_id=team.pk), ServedModelFactory()
    add_extra(actor=acting(lead), quota=quota, amount=1, until=soon, request_id="xr_1")
    assert "finance" in refused(lambda: add_extra(actor=acting(lead), quota=quota, amount=1, until=soon))
    foreign = QuotaFactory(scope_id=TeamFactory().pk)
    assert "finance" in refused(
        lambda: add_extra(actor=acting(lead), quota=foreign, amount=1, until=soon, request_id="xr_1")
    )

    def grant(who: User, to: Team) -> None:
        granted = grant_model(actor=acting(who), team=to, user=None, key_id="", model=model, until=soon)
        end_grant(actor=acting(who), grant=granted)

    grant(lead, team)
    grant(person_as(Role.PLATFORM_ADMIN), team)
    for who, to in (
        (lead, TeamFactory()),
        (person_as(Role.FINANCE), team),
        (person_as(Role.EMPLOYEE, team=team), team),
    ):
        assert "platform admins" in refused(lambda who=who, to=to: grant(who, to))
