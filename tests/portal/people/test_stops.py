"""Who may stop what, and what is kept of it."""

import pytest
from django.core.exceptions import PermissionDenied

from gateway.control.compile import stops_now
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.stops import lift_stop, stop_calls
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Change, Revision, Stop, Team
from portal.people.permissions import Role
from tests.factories.people import SYSTEM, TeamFactory, acting, person_as

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    made: Team = TeamFactory(name="Search")
    return made


def stop(actor: Actor, kind: str = "provider", entity: str = "prov_1", reason: str = "It leaks.", **more: str) -> Stop:
    return stop_calls(actor=actor, kind=kind, entity_id=entity, label="Acme", reason=reason, **more)


def test_a_stop_is_audited_published_and_compiled() -> None:
    admin = person_as(Role.PLATFORM_ADMIN)
    held = stop(acting(admin), reason="  It \n leaks. ")
    event = AuditEvent.objects.get(event="portal:provider:stop")
    assert (event.actor_id, event.after["reason"]) == (admin.pk, "It leaks.")
    revision = Revision.objects.get(id=1).number
    assert Change.objects.filter(revision=revision, kind="stop", entity_id=held.pk).exists()
    assert stops_now() == {("provider", "prov_1"): "It leaks."}

    lift_stop(actor=acting(admin), stop=held, reason="Mended.")
    event = AuditEvent.objects.get(event="portal:provider:unstop")
    assert (event.before["reason"], event.after["reason"]) == ("It leaks.", "Mended.")
    assert stops_now() == {}


def test_the_same_again_writes_nothing() -> None:
    held = stop(SYSTEM)
    assert stop(SYSTEM).pk == held.pk
    lift_stop(actor=SYSTEM, stop=held, reason="Mended.")
    lift_stop(actor=SYSTEM, stop=held, reason="Mended.")
    assert AuditEvent.objects.count() == 2


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_needed_both_ways(reason: str) -> None:
    with pytest.raises(PeopleRefused, match="needs a reason"):
        stop(SYSTEM, reason=reason)
    held = stop(SYSTEM)
    with pytest.raises(PeopleRefused, match="needs a reason"):
        lift_stop(actor=SYSTEM, stop=held, reason=reason)
    assert Stop.objects.count() == 1


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.FINANCE, Role.AUDITOR, Role.LEAD])
def test_only_admins_stop_what_all_teams_share(role: Role) -> None:
    with pytest.raises(PermissionDenied):
        stop(acting(person_as(role)))
    with pytest.raises(PermissionDenied):
        stop(acting(person_as(role)), kind="everything", entity="")
    held = stop(SYSTEM)
    with pytest.raises(PermissionDenied):
        lift_stop(actor=acting(person_as(role)), stop=held, reason="I would like to.")
    assert Stop.objects.count() == 1


def test_a_lead_stops_in_the_team_they_lead_and_nowhere_else(team: Team) -> None:
    lead = person_as(Role.LEAD, team=team)
    held = stop(acting(lead), kind="key", entity="key_1", team_id=team.pk)
    with pytest.raises(PermissionDenied):
        stop(acting(lead), kind="team", entity="team_2", team_id=TeamFactory().pk)
    lift_stop(actor=acting(lead), stop=held, reason="Found it again.")


def test_a_lead_lifts_nothing_that_others_stopped(team: Team) -> None:
    lead = person_as(Role.LEAD, team=team)
    held = stop(SYSTEM, kind="team", entity=team.pk, team_id=team.pk)
    with pytest.raises(PermissionDenied, match="platform admin"):
        lift_stop(actor=acting(lead), stop=held, reason="I would like to.")
    with pytest.raises(PeopleRefused, match="stopped already"):
        stop(acting(lead), kind="team", entity=team.pk, team_id=team.pk, reason="Mine now.")


def test_an_admin_takes_over_what_a_lead_stopped(team: Team) -> None:
    lead, admin = person_as(Role.LEAD, team=team), person_as(Role.PLATFORM_ADMIN)
    stop(acting(lead), kind="team", entity=team.pk, team_id=team.pk)
    held = stop(acting(admin), kind="team", entity=team.pk, team_id=team.pk, reason="An incident.")
    assert (Stop.objects.get().reason, held.by_id) == ("An incident.", admin.pk)
    with pytest.raises(PermissionDenied):
        lift_stop(actor=acting(lead), stop=held, reason="I would like to.")


def test_a_blocked_person_stops_nothing() -> None:
    admin = person_as(Role.PLATFORM_ADMIN)
    type(admin).objects.filter(pk=admin.pk).update(status="blocked")
    with pytest.raises(PermissionDenied):
        stop(acting(admin))


def test_only_what_there_is_can_be_stopped() -> None:
    with pytest.raises(PeopleRefused, match="cannot be stopped"):
        stop(SYSTEM, kind="weather", entity="rain")
