"""Several people at the same moment: one of them is right, on both databases."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from portal.people.actions.people import block_person, invite_person, set_roles
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.teams import create_team, set_member
from portal.people.audit import Actor
from portal.people.identity.arrival import SignInRefused, arrive
from portal.people.identity.claims import Identity
from portal.people.models import AuditEvent, Membership, Revision, Team, User
from portal.people.permissions import Role
from tests.factories.people import SYSTEM, TeamFactory, UserFactory, acting, person_as

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6


@pytest.fixture(autouse=True)
def revision(transactional_db: None) -> None:
    Revision.objects.get_or_create(id=1)  # a transactional test before this one may have emptied the tables


def together(*actions: Callable[[], object]) -> list[object]:
    """Run each action in a thread of its own, all at once; returns what each returned or raised."""
    start = threading.Barrier(len(actions))
    results: list[object] = [None] * len(actions)

    def run(place: int, action: Callable[[], object]) -> None:
        start.wait(10)
        try:
            results[place] = action()
        except Exception as trouble:
            results[place] = trouble
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def troubles(results: list[object]) -> list[object]:
    return [one for one in results if isinstance(one, Exception)]


def test_two_admins_who_take_the_role_from_each_other_leave_one() -> None:
    first, second = person_as(Role.PLATFORM_ADMIN), person_as(Role.PLATFORM_ADMIN)
    results = together(
        lambda: set_roles(actor=acting(first), person=second, roles=set()),
        lambda: set_roles(actor=acting(second), person=first, roles=set()),
    )
    assert len(troubles(results)) == 1
    assert User.objects.active().filter(global_roles__role="platform_admin").count() == 1


def test_two_admins_who_block_each_other_leave_one() -> None:
    first, second = person_as(Role.PLATFORM_ADMIN), person_as(Role.PLATFORM_ADMIN)
    results = together(
        lambda: block_person(actor=acting(first), person=second, reason="a quarrel"),
        lambda: block_person(actor=acting(second), person=first, reason="a quarrel"),
    )
    assert len(troubles(results)) == 1
    assert User.objects.active().filter(global_roles__role="platform_admin").count() == 1


def test_the_same_person_is_invited_once() -> None:
    results = together(*[lambda: invite_person(actor=SYSTEM, email="new@example.com")] * AT_ONCE)
    assert troubles(results) == []
    assert User.objects.count() == 1
    assert AuditEvent.objects.count() == 1


def test_a_team_is_made_once() -> None:
    results = together(*[lambda: create_team(actor=SYSTEM, slug="search", name="Search")] * AT_ONCE)
    assert len(troubles(results)) == AT_ONCE - 1
    assert all(isinstance(one, PeopleRefused) for one in troubles(results))
    assert Team.objects.count() == 1


def test_somebody_is_added_once() -> None:
    team, person = TeamFactory(), UserFactory()
    results = together(*[lambda: set_member(actor=SYSTEM, team=team, person=person)] * AT_ONCE)
    assert troubles(results) == []
    assert Membership.objects.count() == 1


def test_a_new_person_who_signs_in_by_several_tabs_is_one_person(settings) -> None:
    settings.OIDC_GROUP_MAP = "eng=team:search, money=role:finance"
    identity = Identity("https://idp", "sub-1", "new@example.com", True, "New", frozenset({"eng", "money"}))
    results = together(*[lambda: arrive(identity, Actor("sso"))] * AT_ONCE)
    assert troubles(results) == []
    assert User.objects.count() == 1
    assert Membership.objects.count() == 1


def test_an_invitation_is_claimed_by_one_of_two() -> None:
    UserFactory(email="new@example.com", status="invited")
    results = together(
        *[
            lambda subject=subject: arrive(
                Identity("https://idp", subject, "new@example.com", True, "New", frozenset()), Actor("sso")
            )
            for subject in ("one", "two")
        ]
    )
    assert [one.code for one in results if isinstance(one, SignInRefused)] == ["email_taken"]
    assert len(troubles(results)) == 1
    assert User.objects.get().subject in {"one", "two"}
