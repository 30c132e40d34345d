"""OIDC_GROUP_MAP: how it is read, and what it does to somebody's teams and roles."""

import pytest

from portal.people.audit import Actor
from portal.people.identity.groups import BadGroupMap, Given, apply_groups, read_group_map
from portal.people.models import AuditEvent, GlobalRole, Membership, User
from portal.people.permissions import Role
from tests.factories.people import MembershipFactory, TeamFactory, UserFactory, person_as

SSO = Actor("sso")
MAP = "admins=role:platform_admin, money=role:finance, eng=team:search, leads=lead:search, ops=team:ops"


def test_reading_pairs_and_several_gifts_of_one_group() -> None:
    assert read_group_map("") == {}
    assert read_group_map(" a=role:finance , a=team:Search,b=lead:x ") == {
        "a": (Given("role", "finance"), Given("team", "search")),
        "b": (Given("lead", "x"),),
    }


def test_names_with_commas_and_equals_signs_are_written_as_json() -> None:
    name = "cn=ai admins,ou=groups,dc=example"
    assert read_group_map(f'{{"{name}": "role:auditor"}}') == {name: (Given("role", "auditor"),)}
    assert read_group_map('{"a": ["team:x", "lead:y"]}') == {"a": (Given("team", "x"), Given("lead", "y"))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("admins", 'has no "="'),
        ("a=role:root", "gives nothing"),
        ("a=role:employee", "gives nothing"),
        ("a=team:", "names no team"),
        ("a=team:not a slug", "names no team"),
        ("a=admin", "gives nothing"),
        ("{broken", "no JSON object"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(BadGroupMap, match=words):
        read_group_map(text)


@pytest.fixture
def mapped(settings, db: None) -> None:
    settings.OIDC_GROUP_MAP = MAP


def standing(person: User) -> tuple[dict[str, str], dict[str, str]]:
    return (
        dict(person.memberships.values_list("team__slug", "role")),
        dict(person.global_roles.values_list("role", "source")),
    )


def apply(person: User, *groups: str) -> None:
    apply_groups(actor=SSO, person=person, groups=frozenset(groups))


@pytest.mark.usefixtures("mapped")
def test_groups_give_and_take() -> None:
    person = UserFactory()
    apply(person, "eng", "money", "unknown")
    assert standing(person) == ({"search": "member"}, {"finance": "sso"})
    apply(person, "eng", "leads", "ops")
    assert standing(person) == ({"search": "lead", "ops": "member"}, {})
    apply(person)
    assert standing(person) == ({}, {})
    assert set(AuditEvent.objects.values_list("event", flat=True)) == {
        "sso:team:create", "sso:person:roles", "sso:member:set", "sso:member:remove",
    }  # fmt: skip


@pytest.mark.usefixtures("mapped")
def test_the_same_groups_again_write_nothing() -> None:
    person = UserFactory()
    apply(person, "eng", "money")
    before = AuditEvent.objects.count()
    apply(person, "eng", "money")
    assert AuditEvent.objects.count() == before


@pytest.mark.usefixtures("mapped")
@pytest.mark.parametrize("source", ["manual", "config"])
def test_what_came_by_hand_or_configuration_stays(source: str) -> None:
    team = TeamFactory(slug="search")
    person = UserFactory()
    MembershipFactory(team=team, user=person, role="lead", source=source)
    GlobalRole.objects.create(user=person, role="finance", source=source)
    apply(person, "eng", "money")
    assert standing(person) == ({"search": "lead"}, {"finance": source})
    apply(person)
    assert standing(person) == ({"search": "lead"}, {"finance": source})


@pytest.mark.usefixtures("mapped")
def test_teams_that_the_map_does_not_name_are_left_alone() -> None:
    membership = MembershipFactory(source="manual")
    apply(membership.user)
    assert Membership.objects.filter(pk=membership.pk).exists()


@pytest.mark.usefixtures("mapped")
def test_the_last_platform_admin_keeps_the_role_when_the_groups_are_lost() -> None:
    person = UserFactory()
    apply(person, "admins")
    apply(person, "money")
    assert set(standing(person)[1]) == {"platform_admin", "finance"}
    person_as(Role.PLATFORM_ADMIN)
    apply(person, "money")
    assert set(standing(person)[1]) == {"finance"}
