"""Pages of people and teams, as each role sees and uses them."""

import pytest
from django.test import Client
from django.urls import reverse

from portal.people.models import AuditEvent, Membership, Team, User
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import ServedModelFactory, TeamModelFactory
from tests.factories.people import ApplicationFactory, MembershipFactory, TeamFactory, UserFactory, person_as

pytestmark = pytest.mark.django_db
BACKEND = "portal.people.identity.backend.ActivePersonBackend"


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


@pytest.fixture
def admin() -> User:
    return person_as(Role.PLATFORM_ADMIN, name="Pia")


def text(response) -> str:
    return response.content.decode()


# teams


def test_an_employee_sees_their_own_teams_only() -> None:
    mine, other = TeamFactory(name="Search"), TeamFactory(name="Ranking")
    client = signed_in(person_as(Role.EMPLOYEE, team=mine))
    page = text(client.get(reverse("people-team-list")))
    assert "Search" in page
    assert "Ranking" not in page
    assert client.get(reverse("people-team-detail", args=[mine.pk])).status_code == 200
    assert client.get(reverse("people-team-detail", args=[other.pk])).status_code == 404


def test_who_has_no_team_is_told_what_to_do() -> None:
    page = text(signed_in(UserFactory()).get(reverse("people-team-list")))
    assert "You belong to no team yet" in page


def test_an_admin_makes_and_changes_a_team(admin: User) -> None:
    client = signed_in(admin)
    new = {"name": "Search", "slug": "search", "cost_centre": "CC-100"}
    made = client.post(reverse("people-team-add"), new)
    team = Team.objects.get(slug="search")
    assert made.headers["location"] == reverse("people-team-detail", args=[team.pk])
    again = client.post(reverse("people-team-add"), new)
    assert again.status_code == 422
    assert "There is a team" in text(again)
    change = {"name": "Search & find", "cost_centre": "CC-200", "status": "blocked"}
    assert client.post(reverse("people-team-edit", args=[team.pk]), change).status_code == 302
    page = text(client.get(reverse("people-team-detail", args=[team.pk])))
    assert "Search &amp; find" in page
    assert "CC-200" in page
    assert "This team is blocked" in page


def test_a_lead_adds_changes_and_removes_members() -> None:
    team, person = TeamFactory(), UserFactory(email="new@example.com")
    client = signed_in(person_as(Role.LEAD, team=team))
    stranger = client.post(
        reverse("people-member-add", args=[team.pk]), {"email": "nobody@example.com", "role": "member"}
    )
    assert "Nobody has signed in with this address yet" in text(stranger)
    added = client.post(reverse("people-member-add", args=[team.pk]), {"email": "New@Example.com", "role": "member"})
    assert added.status_code == 302
    client.post(reverse("people-member-edit", args=[team.pk, person.pk]), {"role": "lead"})
    assert Membership.objects.get(team=team, user=person).role == "lead"
    asked = client.get(reverse("people-member-remove", args=[team.pk, person.pk]))
    assert asked.status_code == 200
    assert Membership.objects.filter(team=team, user=person).exists(), "GET changes nothing"
    client.post(reverse("people-member-remove", args=[team.pk, person.pk]))
    assert not Membership.objects.filter(team=team, user=person).exists()


def test_an_admin_adds_somebody_nobody_knows_yet(admin: User) -> None:
    team = TeamFactory()
    signed_in(admin).post(reverse("people-member-add", args=[team.pk]), {"email": "new@example.com", "role": "lead"})
    person = User.objects.get(email="new@example.com")
    assert person.status == "invited"
    assert person.memberships.get().role == "lead"


def test_members_are_refused_what_leads_do() -> None:
    team = TeamFactory()
    member, colleague = person_as(Role.EMPLOYEE, team=team), MembershipFactory(team=team).user
    client = signed_in(member)
    for name, args in (
        ("people-member-add", [team.pk]),
        ("people-member-edit", [team.pk, colleague.pk]),
        ("people-member-edit", [team.pk, member.pk]),
        ("people-member-remove", [team.pk, colleague.pk]),
    ):
        response = client.post(reverse(name, args=args), {"email": "a@example.com", "role": "lead"})
        assert response.status_code == 403
        assert "Only a lead of" in text(response)
    assert not Membership.objects.filter(team=team, role="lead").exists()


def test_a_lead_changes_nothing_of_their_own() -> None:
    team = TeamFactory()
    lead = person_as(Role.LEAD, team=team)
    client = signed_in(lead)
    assert client.post(reverse("people-member-edit", args=[team.pk, lead.pk]), {"role": "member"}).status_code == 403
    assert client.post(reverse("people-member-remove", args=[team.pk, lead.pk])).status_code == 403
    assert reverse("people-member-edit", args=[team.pk, lead.pk]) not in text(
        client.get(reverse("people-team-detail", args=[team.pk]))
    )


def test_many_members_come_in_pages() -> None:
    team = TeamFactory()
    for number in range(55):
        MembershipFactory(team=team, user__name=f"Colleague {number:02}")
    client = signed_in(person_as(Role.LEAD, team=team, name="Aaa"))
    first = text(client.get(reverse("people-team-detail", args=[team.pk])))
    assert "Colleague 00" in first
    assert "Colleague 54" not in first
    assert "Colleague 54" in text(client.get(reverse("people-team-detail", args=[team.pk]), {"page": 2}))
    assert "Colleague 54" in text(client.get(reverse("people-team-detail", args=[team.pk]), {"q": "league 54"}))


def test_a_team_shows_its_applications() -> None:
    team = TeamFactory()
    ApplicationFactory(team=team, name="Ranker")
    page = signed_in(person_as(Role.EMPLOYEE, team=team)).get(reverse("people-team-detail", args=[team.pk]))
    assert "Ranker" in text(page)


# people


def test_people_are_found_by_words_status_and_role(admin: User) -> None:
    UserFactory(name="Zoë Zimmer", email="zoe@example.com", status="blocked")
    person_as(Role.FINANCE, name="Finn Fischer")
    client = signed_in(admin)
    url = reverse("people-user-list")
    assert "Zoë Zimmer" in text(client.get(url, {"q": "zoe@"}))
    assert "Finn Fischer" not in text(client.get(url, {"q": "zoe@"}))
    assert "Zoë Zimmer" in text(client.get(url, {"status": "blocked"}))
    only_finance = text(client.get(url, {"role": "finance"}))
    assert "Finn Fischer" in only_finance
    assert "Zoë Zimmer" not in only_finance
    assert "Nobody matches" in text(client.get(url, {"q": "nobody at all"}))


def test_the_list_of_people_asks_the_database_as_often_for_many_as_for_few(
    admin: User, django_assert_max_num_queries
) -> None:
    team = TeamFactory()
    for _ in range(60):
        MembershipFactory(team=team)
    client = signed_in(admin)
    with django_assert_max_num_queries(16):
        assert text(client.get(reverse("people-user-list"))).count("<tr>") == 51


def test_inviting_giving_roles_and_blocking(admin: User) -> None:
    client = signed_in(admin)
    invited = client.post(reverse("people-user-invite"), {"email": "new@example.com", "name": "New"})
    person = User.objects.get(email="new@example.com")
    assert invited.headers["location"] == reverse("people-user-detail", args=[person.pk])
    client.post(reverse("people-user-roles", args=[person.pk]), {"roles": ["finance", "auditor"]})
    assert set(person.global_roles.values_list("role", flat=True)) == {"finance", "auditor"}
    assert "Auditor" in text(client.get(reverse("people-user-detail", args=[person.pk])))
    asked = client.get(reverse("people-user-block", args=[person.pk]))
    assert "signed out at once" in text(asked)
    without_reason = client.post(reverse("people-user-block", args=[person.pk]), {"reason": ""})
    assert without_reason.status_code == 422
    client.post(reverse("people-user-block", args=[person.pk]), {"reason": "left"})
    assert "This person is blocked" in text(client.get(reverse("people-user-detail", args=[person.pk])))
    client.post(reverse("people-user-unblock", args=[person.pk]))
    person.refresh_from_db()
    assert person.status == "invited"


def test_the_last_admin_is_refused_with_words(admin: User) -> None:
    other = person_as(Role.PLATFORM_ADMIN)
    client = signed_in(admin)
    assert client.post(reverse("people-user-roles", args=[other.pk]), {"roles": []}).status_code == 302
    refused = client.post(reverse("people-user-roles", args=[admin.pk]), {"roles": []})
    assert refused.status_code == 403
    assert "Nobody changes their own roles" in text(refused)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.AUDITOR])
def test_who_may_look_at_people_may_not_change_them(role: Role) -> None:
    person = UserFactory()
    client = signed_in(person_as(role))
    page = text(client.get(reverse("people-user-detail", args=[person.pk])))
    assert "Change roles" not in page
    refused = client.post(reverse("people-user-block", args=[person.pk]), {"reason": "r"})
    assert refused.status_code == 403
    assert "platform admins" in text(refused)
    person.refresh_from_db()
    assert person.status == "active"


def test_a_refused_page_says_whose_it_is() -> None:
    response = signed_in(UserFactory()).get(reverse("people-audit-list"))
    assert response.status_code == 403
    assert "This is for auditors (audit.view)" in text(response)


def test_writes_need_the_token_of_the_form(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin, backend=BACKEND)
    person = UserFactory()
    assert client.post(reverse("people-user-block", args=[person.pk]), {"reason": "r"}).status_code == 403
    person.refresh_from_db()
    assert person.status == "active"


def test_markup_in_names_stays_text(admin: User) -> None:
    person = UserFactory(name="<script>alert(1)</script>")
    team = TeamFactory(name="<b>bold</b>")
    MembershipFactory(team=team, user=person)
    client = signed_in(admin)
    for url in (
        reverse("people-user-list"),
        reverse("people-user-detail", args=[person.pk]),
        reverse("people-team-detail", args=[team.pk]),
    ):
        page = text(client.get(url))
        assert "<script>alert(1)" not in page
        assert "<b>bold" not in page


def test_everybody_sees_what_roles_may_do() -> None:
    page = text(signed_in(UserFactory()).get(reverse("people-role-table")))
    assert "Read and export the audit trail" in page
    assert not AuditEvent.objects.exists()


def test_a_team_shows_its_models_and_what_is_left_of_its_budget() -> None:
    team = TeamFactory()
    TeamModelFactory(team=team, model__display_name="Chat Small")
    ServedModelFactory(display_name="Chat Large")
    QuotaFactory(scope_id=team.pk, capacity=50 * 10**9)
    page = text(signed_in(person_as(Role.EMPLOYEE, team=team)).get(reverse("people-team-detail", args=[team.pk])))
    assert "Chat Small" in page
    assert "Chat Large" not in page
    assert "$50.00 per month" in page
    assert 'title="50.00 USD">$50.00' in page  # what is left
