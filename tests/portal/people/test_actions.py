"""Actions on people and teams: who may, what is written, what the audit trail and the change feed say."""

from collections.abc import Callable, Iterator

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models.signals import pre_save

from portal.people.actions import applications, people, teams
from portal.people.actions.rules import PeopleRefused
from portal.people.audit import Actor, actor_of
from portal.people.models import (
    Application,
    AuditEvent,
    Change,
    CostCentre,
    GlobalRole,
    Membership,
    PersonSession,
    Team,
    User,
)
from portal.people.permissions import Role
from tests.factories.people import SYSTEM, MembershipFactory, TeamFactory, UserFactory, acting, person_as

pytestmark = pytest.mark.django_db


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("at", "id")


def feed() -> set[tuple[str, str]]:
    return set(Change.objects.values_list("kind", "entity_id"))


@pytest.fixture
def admin() -> User:
    return person_as(Role.PLATFORM_ADMIN, name="Pia")


# people


def test_inviting_makes_an_invited_person_once(admin: User) -> None:
    person = people.invite_person(actor=acting(admin), email=" New.Person@Example.com ", name="New\nPerson")
    again = people.invite_person(actor=acting(admin), email="new.person@EXAMPLE.com")
    assert again == person
    assert (person.email, person.name, person.status) == ("new.person@example.com", "New Person", "invited")
    assert not person.has_usable_password()
    event = AuditEvent.objects.get()
    assert (event.event, event.actor_id, event.target_id) == ("portal:person:invite", admin.pk, person.pk)
    assert ("user", person.pk) in feed()


@pytest.mark.parametrize("email", ["", "no-at-sign", "a@b", "x\x00@example.com", "a" * 300 + "@example.com"])
def test_what_is_no_address_is_refused(admin: User, email: str) -> None:
    with pytest.raises(PeopleRefused):
        people.invite_person(actor=acting(admin), email=email)
    assert not AuditEvent.objects.exists()


def test_activating_claims_an_invitation_once() -> None:
    person = UserFactory(status="invited")
    people.activate_person(actor=SYSTEM, person=person, issuer="https://idp", subject="s1")
    assert (person.status, person.issuer, person.subject) == ("active", "https://idp", "s1")
    assert last_event().after == {"status": "active", "issuer": "https://idp", "subject": "s1"}
    with pytest.raises(PeopleRefused):
        people.activate_person(actor=SYSTEM, person=person, issuer="https://idp", subject="s2")
    person.refresh_from_db()
    assert person.subject == "s1"


def test_blocking_ends_sessions_at_once_and_is_told_to_gateways(admin: User, client) -> None:
    person = UserFactory()
    client.force_login(person, backend="portal.people.identity.backend.ActivePersonBackend")
    assert PersonSession.objects.filter(user_id=person.pk).count() == 1
    people.block_person(actor=acting(admin), person=person, reason="left the company")
    assert not PersonSession.objects.filter(user_id=person.pk).exists()
    assert last_event().before == {"status": "active"}
    assert last_event().after == {"status": "blocked", "reason": "left the company"}
    assert ("user", person.pk) in feed()
    people.unblock_person(actor=acting(admin), person=person)
    assert client.get("/").status_code == 302, "the old session stays gone"


def test_a_block_needs_a_reason(admin: User) -> None:
    person = UserFactory()
    with pytest.raises(PeopleRefused):
        people.block_person(actor=acting(admin), person=person, reason="  ")
    person.refresh_from_db()
    assert person.status == "active"


@pytest.mark.parametrize(("subject", "status"), [("s", "active"), ("", "invited")])
def test_unblocking_brings_back_what_was(admin: User, subject: str, status: str) -> None:
    person = UserFactory(status="blocked", subject=subject, issuer="https://idp" if subject else "")
    people.unblock_person(actor=acting(admin), person=person)
    person.refresh_from_db()
    assert person.status == status


def test_nobody_blocks_themselves(admin: User) -> None:
    person_as(Role.PLATFORM_ADMIN)
    with pytest.raises(PermissionDenied):
        people.block_person(actor=acting(admin), person=admin, reason="bye")


def test_the_last_platform_admin_stays(admin: User) -> None:
    person_as(Role.PLATFORM_ADMIN, status="blocked")
    for attempt in (
        lambda: people.set_roles(actor=SYSTEM, person=admin, roles=set()),
        lambda: people.block_person(actor=SYSTEM, person=admin, reason="mistake"),
    ):
        with pytest.raises(PeopleRefused, match="last platform admin"):
            attempt()
    admin.refresh_from_db()
    assert admin.status == "active"
    assert admin.global_roles.get().role == "platform_admin"
    assert not AuditEvent.objects.exists()


def test_roles_of_a_source_are_replaced_and_others_stay(admin: User) -> None:
    person = UserFactory()
    GlobalRole.objects.create(user=person, role="auditor", source="config")
    GlobalRole.objects.create(user=person, role="finance", source="sso")
    people.set_roles(actor=acting(admin), person=person, roles={"finance"})
    assert dict(person.global_roles.values_list("role", "source")) == {"auditor": "config", "finance": "manual"}
    people.set_roles(actor=SYSTEM, person=person, roles=set(), source="sso")
    assert set(person.global_roles.values_list("role", flat=True)) == {"auditor", "finance"}
    people.set_roles(actor=acting(admin), person=person, roles=set())
    assert set(person.global_roles.values_list("role", flat=True)) == {"auditor"}


def test_setting_what_holds_writes_nothing(admin: User) -> None:
    person = person_as(Role.FINANCE)
    people.set_roles(actor=acting(admin), person=person, roles={"finance"})
    assert not AuditEvent.objects.exists()


def test_nobody_changes_their_own_roles(admin: User) -> None:
    with pytest.raises(PermissionDenied, match="their own"):
        people.set_roles(actor=acting(admin), person=admin, roles={"platform_admin", "finance"})
    assert admin.global_roles.count() == 1


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.LEAD, Role.FINANCE, Role.AUDITOR])
def test_others_than_platform_admins_change_nobody(role: Role) -> None:
    actor, person = acting(person_as(role)), UserFactory()
    for attempt in (
        lambda: people.invite_person(actor=actor, email="x@example.com"),
        lambda: people.activate_person(actor=actor, person=person),
        lambda: people.block_person(actor=actor, person=person, reason="r"),
        lambda: people.unblock_person(actor=actor, person=person),
        lambda: people.set_roles(actor=actor, person=person, roles={"finance"}),
        lambda: teams.create_team(actor=actor, slug="x", name="X"),
    ):
        with pytest.raises(PermissionDenied, match="platform admins"):
            attempt()
    assert not AuditEvent.objects.exists()


def test_a_blocked_admin_changes_nothing(admin: User) -> None:
    actor = acting(admin)
    User.objects.filter(pk=admin.pk).update(status="blocked")
    with pytest.raises(PermissionDenied):
        people.invite_person(actor=actor, email="x@example.com")


def test_a_local_admin_has_a_password_and_the_role() -> None:
    person = people.create_local_admin(actor=SYSTEM, email="root@example.com", password="correct horse battery")
    person.refresh_from_db()
    assert person.status == "active"
    assert person.check_password("correct horse battery")
    assert person.global_roles.get().role == "platform_admin"
    assert "correct horse" not in str(list(AuditEvent.objects.values()))


def test_a_weak_password_makes_nobody() -> None:
    with pytest.raises(PeopleRefused):
        people.create_local_admin(actor=SYSTEM, email="root@example.com", password="password")
    assert not User.objects.exists()


# teams


def test_creating_a_team_with_its_cost_centre(admin: User) -> None:
    team = teams.create_team(actor=acting(admin), slug="Search", name="Search ", cost_centre_code="CC-100")
    assert (team.slug, team.name, team.cost_centre.code) == ("search", "Search", "CC-100")
    assert last_event().after == {"slug": "search", "name": "Search", "cost_centre": "CC-100", "status": "active"}
    assert last_event().team_id == team.pk
    assert ("team", team.pk) in feed()
    with pytest.raises(PeopleRefused, match="already"):
        teams.create_team(actor=acting(admin), slug="search", name="Another")


def test_changing_a_team_tells_before_and_after(admin: User) -> None:
    team = TeamFactory(name="Old")
    teams.change_team(actor=acting(admin), team=team, name="New", cost_centre_code="CC-1", status="blocked")
    assert (last_event().before["name"], last_event().after["name"]) == ("Old", "New")
    teams.change_team(actor=acting(admin), team=team, cost_centre_code="")
    team.refresh_from_db()
    assert (team.name, team.cost_centre, team.status) == ("New", None, "blocked")


def test_who_saw_an_older_team_changes_nothing(admin: User) -> None:
    team = TeamFactory(name="Old")
    seen = Team.objects.get(pk=team.pk)
    teams.change_team(actor=acting(admin), team=team, name="Quicker")
    with pytest.raises(PeopleRefused, match="meanwhile"):
        teams.change_team(actor=acting(admin), team=seen, name="Slower")
    team.refresh_from_db()
    assert team.name == "Quicker"
    assert AuditEvent.objects.count() == 1


def test_a_lead_manages_the_members_of_their_own_team_only() -> None:
    team, other, person = TeamFactory(), TeamFactory(), UserFactory()
    lead = acting(person_as(Role.LEAD, team=team))
    teams.set_member(actor=lead, team=team, person=person)
    teams.set_member(actor=lead, team=team, person=person, role="lead")
    assert person.memberships.get().role == "lead"
    assert last_event().before == {"team": team.slug, "role": "member", "source": "manual"}
    assert ("user", person.pk) in feed()
    teams.remove_member(actor=lead, team=team, person=person)
    assert not person.memberships.exists()
    assert last_event().event == "portal:member:remove"
    with pytest.raises(PermissionDenied):
        teams.set_member(actor=lead, team=other, person=person)
    with pytest.raises(PermissionDenied):
        teams.change_team(actor=lead, team=team, cost_centre_code="CC-9")


def test_a_member_promotes_nobody_and_a_lead_not_themselves() -> None:
    team = TeamFactory()
    member, lead = person_as(Role.EMPLOYEE, team=team), person_as(Role.LEAD, team=team)
    with pytest.raises(PermissionDenied):
        teams.set_member(actor=acting(member), team=team, person=member, role="lead")
    with pytest.raises(PermissionDenied):
        teams.set_member(actor=acting(lead), team=team, person=lead, role="member")
    with pytest.raises(PermissionDenied):
        teams.remove_member(actor=acting(lead), team=team, person=lead)
    assert set(team.memberships.values_list("role", flat=True)) == {"member", "lead"}


def test_what_was_set_by_hand_outlives_sign_in_groups() -> None:
    membership = MembershipFactory(role="lead", source="manual")
    teams.set_member(actor=SYSTEM, team=membership.team, person=membership.user, role="member", source="sso")
    membership.refresh_from_db()
    assert (membership.role, membership.source) == ("lead", "manual")


def test_an_unknown_role_in_a_team_is_refused(admin: User) -> None:
    with pytest.raises(PeopleRefused):
        teams.set_member(actor=acting(admin), team=TeamFactory(), person=UserFactory(), role="owner")
    assert not Membership.objects.exists()


def test_an_application_belongs_to_the_team_of_its_lead() -> None:
    team = TeamFactory()
    user = person_as(Role.LEAD, team=team)
    app = applications.create_application(actor=acting(user), team=team, slug="ranker", name="Ranker", owner=user)
    assert (app.team, app.owner) == (team, user)
    assert last_event().event == "portal:application:create"
    with pytest.raises(PeopleRefused):
        applications.create_application(actor=SYSTEM, team=team, slug="ranker", name="Other", owner=None)
    with pytest.raises(PeopleRefused):
        applications.create_application(actor=SYSTEM, team=team, slug="two", name="Two", owner=UserFactory())
    with pytest.raises(PermissionDenied):
        applications.create_application(actor=acting(user), team=TeamFactory(), slug="x", name="X", owner=None)


# the frame


@pytest.fixture
def audit_trail_is_down() -> Iterator[None]:
    """Every write of an audit row fails, as with a full disk."""

    def fail(**_: object) -> None:
        raise DatabaseError("disk full")

    pre_save.connect(fail, sender=AuditEvent, weak=False, dispatch_uid="down")
    yield
    pre_save.disconnect(sender=AuditEvent, dispatch_uid="down")


ACTIONS: dict[str, Callable[[Actor, Team, User], object]] = {
    "invite": lambda actor, team, person: people.invite_person(actor=actor, email="new@example.com"),
    "activate": lambda actor, team, person: people.activate_person(actor=actor, person=person),
    "block": lambda actor, team, person: people.block_person(actor=actor, person=person, reason="left"),
    "roles": lambda actor, team, person: people.set_roles(actor=actor, person=person, roles={"finance"}),
    "create team": lambda actor, team, person: teams.create_team(
        actor=actor, slug="new", name="New", cost_centre_code="N"
    ),
    "change team": lambda actor, team, person: teams.change_team(actor=actor, team=team, name="Changed"),
    "add member": lambda actor, team, person: teams.set_member(actor=actor, team=team, person=person),
    "application": lambda actor, team, person: applications.create_application(
        actor=actor, team=team, slug="a", name="A", owner=None
    ),
}


def everything() -> dict[str, list[object]]:
    models = (User, Team, Membership, GlobalRole, CostCentre, Application, Change, AuditEvent)
    return {model.__name__: sorted(map(str, model.objects.values_list())) for model in models}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_audit_row_that_cannot_be_written_undoes_the_change(name: str, admin: User, request) -> None:
    person, team = UserFactory(status="invited"), TeamFactory()
    before = everything()
    request.getfixturevalue("audit_trail_is_down")
    with pytest.raises(DatabaseError), transaction.atomic():
        ACTIONS[name](acting(admin), team, person)
    assert everything() == before


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_leaves_one_audit_row(name: str, admin: User) -> None:
    person, team = UserFactory(status="invited"), TeamFactory()
    ACTIONS[name](acting(admin), team, person)
    event = AuditEvent.objects.get()
    assert event.event.startswith("portal:")
    assert (event.actor_id, event.actor_label) == (admin.pk, admin.label)
    assert event.after


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (False, "9.9.9.9", "10.0.0.1"),
        (True, "1.1.1.1, 9.9.9.9", "9.9.9.9"),
        (True, None, "10.0.0.1"),
        (True, "not an address", None),
    ],
)
def test_the_address_is_the_one_that_our_own_proxy_saw(
    admin: User, rf, settings, trusted: bool, forwarded: str | None, address: str | None
) -> None:
    settings.TRUST_PROXY_HEADERS = trusted
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    request = rf.post("/", REMOTE_ADDR="10.0.0.1", **headers)
    request.user = admin
    people.invite_person(actor=actor_of(request), email="new@example.com")
    assert last_event().address == address
