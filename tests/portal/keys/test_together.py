"""Several people, or one person twice, at the same moment: one of them is right, on both databases (cases 21, 22)."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from billing.models import Quota, QuotaExtra
from catalog.models import ModelGrant
from portal.keys.actions.decisions import approve, deny
from portal.keys.actions.requests import ask, edit, withdraw
from portal.keys.actions.rotation import claim_secret, rotate_now, secret_first_used
from portal.keys.models import Approval, Key, KeyRequest, KeySecret
from portal.keys.refusal import Refused
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Revision, Team, User
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory
from tests.factories.keys import asked_for_model, in_days, member_of, minted, team_with
from tests.factories.people import acting, person_as

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6
GATEWAY = Actor("gateway")


@pytest.fixture
def team() -> Team:
    Revision.objects.get_or_create(id=1)  # a transactional test before this one may have emptied the tables
    return team_with("chat-small")


@pytest.fixture
def member(team: Team) -> User:
    return member_of(team)


def together(*actions: Callable[[], object]) -> list[object]:
    """Run each action in a thread of its own, all at once; returns what each returned or how it was refused."""
    start = threading.Barrier(len(actions))
    results: list[object] = [None] * len(actions)

    def run(place: int, action: Callable[[], object]) -> None:
        start.wait(10)
        try:
            results[place] = action()
        except Refused as refused:
            results[place] = refused
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


def refusals(results: list[object]) -> list[object]:
    """Return the refusals; anything else that went wrong fails the test."""
    broken = [one for one in results if isinstance(one, Exception) and not isinstance(one, Refused)]
    assert not broken, broken
    return [one for one in results if isinstance(one, Refused)]


def test_a_request_is_decided_once(team: Team, member: User) -> None:
    asked = asked_for_model(member, team, ServedModelFactory())
    leads = [person_as("lead", team=team) for _ in range(AT_ONCE)]
    results = together(*[
        (lambda lead=lead: approve(actor=acting(lead), request=asked, version=1)) if place % 2
        else (lambda lead=lead: deny(actor=acting(lead), request=asked, version=1, words="No."))
        for place, lead in enumerate(leads)
    ])  # fmt: skip
    assert len(refusals(results)) == AT_ONCE - 1
    decision = Approval.objects.get()
    assert ModelGrant.objects.count() == int(decision.approved)
    assert AuditEvent.objects.filter(event__in=["portal:request:approve", "portal:request:deny"]).count() == 1


def test_what_is_approved_is_what_was_read(team: Team, member: User) -> None:
    budget = QuotaFactory(scope_id=team.pk)
    lead = person_as("lead", team=team)
    for _ in range(5):
        asked = ask(
            actor=acting(member),
            kind="budget",
            team=team,
            quota=budget,
            amount=10**9,
            reason="A trial.",
            until=in_days(5),
        )
        results = together(
            lambda asked=asked: approve(actor=acting(lead), request=asked, version=1),
            lambda asked=asked: edit(
                actor=acting(member), request=asked, version=1, reason="More.", until=in_days(5), amount=400 * 10**9
            ),
        )
        assert len(refusals(results)) == 1
        approved = KeyRequest.objects.get(pk=asked.pk).status == "approved"
        extras = QuotaExtra.objects.filter(request_id=asked.pk)
        assert [extra.amount for extra in extras] == ([10**9] if approved else [])
        if not approved:
            withdraw(actor=acting(member), request=asked)


def test_two_clicks_make_one_request_and_one_key(team: Team, member: User) -> None:
    model = ServedModelFactory()
    results = together(*[lambda: asked_for_model(member, team, model)] * AT_ONCE)
    assert len(refusals(results)) == AT_ONCE - 1
    results = together(*[lambda: minted(member, team, name="ci")] * AT_ONCE)
    assert len(refusals(results)) == AT_ONCE - 1
    assert (KeyRequest.objects.count(), Key.objects.count()) == (1, 1)


def test_claims_and_first_uses_leave_one_secret_of_each_state(team: Team, member: User) -> None:
    key, _ = minted(member, team)
    results = together(*[lambda: claim_secret(actor=acting(member), key=key)] * AT_ONCE)
    assert not refusals(results)
    pending = KeySecret.objects.get(key=key, status="pending")
    results = together(*[lambda: secret_first_used(actor=GATEWAY, secret_id=pending.pk)] * AT_ONCE)
    assert not refusals(results)
    assert results.count(True) == 1
    living = KeySecret.objects.filter(key=key).exclude(status="dead").values_list("status", flat=True)
    assert sorted(living) == ["current", "retiring"]


def test_an_emergency_leaves_nothing_of_a_claim_that_came_before_it(team: Team, member: User) -> None:
    key, _ = minted(member, team)
    for _ in range(4):
        results = together(
            lambda: claim_secret(actor=acting(member), key=key), lambda: rotate_now(actor=acting(member), key=key)
        )
        assert not refusals(results)
        states = list(KeySecret.objects.filter(key=key).exclude(status="dead").values_list("status", flat=True))
        assert states.count("current") == 1
        assert len(states) <= 2
    assert not Quota.objects.exists()
