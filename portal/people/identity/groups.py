"""From the groups of the company's sign-in to teams and roles here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from portal.people.actions.people import set_roles
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.teams import check_slug, create_team, remove_member, set_member
from portal.people.audit import Actor
from portal.people.models import GlobalRole, Membership, Team, User

SSO = GlobalRole.Source.SSO


class BadGroupMap(ValueError):
    """OIDC_GROUP_MAP does not say what it must; the message says which part."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a group gives: `kind` is role, team or lead; `name` a role or a team's short name."""

    kind: str
    name: str


def read_group_map(text: str) -> dict[str, tuple[Given, ...]]:
    """Read `group=role:finance, group=team:search, group=lead:search`, or the same as a JSON object of lists.

    JSON is for group names that hold a comma or an equals sign. Raises BadGroupMap.
    """
    pairs: list[tuple[str, str]] = []
    if text.lstrip().startswith("{"):
        try:
            for group, gifts in json.loads(text).items():
                pairs += [(group, str(gift)) for gift in (gifts if isinstance(gifts, list) else [gifts])]
        except ValueError:
            raise BadGroupMap("OIDC_GROUP_MAP begins with { and is no JSON object") from None
    else:
        for part in filter(None, map(str.strip, text.split(","))):
            group, equals, gift = part.rpartition("=")
            if not equals:
                raise BadGroupMap(f'"{part}" in OIDC_GROUP_MAP has no "="; write group=team:search')
            pairs.append((group.strip(), gift.strip()))
    found: dict[str, tuple[Given, ...]] = {}
    for group, gift in pairs:
        found[group] = (*found.get(group, ()), read_gift(gift))
    return found


def read_gift(text: str) -> Given:
    kind, _, name = text.partition(":")
    if kind == "role" and name in GlobalRole.Role.values:
        return Given(kind, name)
    if kind in {"team", "lead"}:
        try:
            return Given(kind, check_slug(name))
        except PeopleRefused as refusal:
            raise BadGroupMap(f'"{text}" in OIDC_GROUP_MAP names no team. {refusal}') from None
    roles = ", ".join(f"role:{role}" for role in GlobalRole.Role.values)
    raise BadGroupMap(f'"{text}" in OIDC_GROUP_MAP gives nothing; use {roles}, team:SHORT-NAME or lead:SHORT-NAME')


def apply_groups(*, actor: Actor, person: User, groups: frozenset[str]) -> None:
    """Make what `person` has from sign-in groups what their groups give now; what came by hand or configuration stays.

    A team that the map names and that does not exist yet is created.
    """
    mapped = read_group_map(settings.OIDC_GROUP_MAP)
    given = {gift for group in groups for gift in mapped.get(group, ())}
    apply_roles(actor, person, {gift.name for gift in given if gift.kind == "role"})
    apply_teams(actor, person, {
        **{gift.name: Membership.Role.MEMBER for gift in given if gift.kind == "team"},
        **{gift.name: Membership.Role.LEAD for gift in given if gift.kind == "lead"},
    })  # fmt: skip


def apply_roles(actor: Actor, person: User, roles: set[str]) -> None:
    try:
        set_roles(actor=actor, person=person, roles=roles, source=SSO)
    except PeopleRefused:  # the last platform admin keeps the role: else nobody could mend the groups
        set_roles(actor=actor, person=person, roles=roles | {GlobalRole.Role.PLATFORM_ADMIN}, source=SSO)


def apply_teams(actor: Actor, person: User, wanted: Mapping[str, str]) -> None:
    teams = {team.slug: team for team in Team.objects.filter(slug__in=wanted)}
    for slug, role in sorted(wanted.items()):
        team = teams.get(slug) or create_team(actor=actor, slug=slug, name=slug)
        set_member(actor=actor, team=team, person=person, role=role, source=SSO)
    for membership in person.memberships.filter(source=SSO).exclude(team__slug__in=wanted).select_related("team"):
        remove_member(actor=actor, team=membership.team, person=person)
