"""Teams, and who belongs to them."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_slug

from portal.people.actions.people import clean_name, stronger
from portal.people.actions.rules import PeopleRefused, demand, is_oneself
from portal.people.audit import Actor, recorded
from portal.people.models import CostCentre, GlobalRole, Membership, Team, User

Source = GlobalRole.Source


def create_team(*, actor: Actor, slug: str, name: str, cost_centre_code: str = "") -> Team:
    """Create a team; an unknown cost centre is created with it. Needs teams.manage. Raises PeopleRefused."""
    demand(actor, "teams.manage")
    slug, name = check_slug(slug), check_name(name)
    with recorded(actor, "team:create") as trail:
        centre = cost_centre(cost_centre_code)
        team, made = Team.objects.get_or_create(slug=slug, defaults={"name": name, "cost_centre": centre})
        if not made:
            raise PeopleRefused(f'There is a team "{slug}" already. Choose another short name.')
        trail.target, trail.team_id, trail.after = team, team.pk, picture(team)
        trail.changed("team", team.pk)
    return team


def change_team(
    *, actor: Actor, team: Team, name: str | None = None, cost_centre_code: str | None = None, status: str | None = None
) -> Team:
    """Change what is given, and leave what is None. Needs teams.manage.

    Raises PeopleRefused for bad input, and when the team is no longer as `team` says (somebody else was quicker).
    """
    demand(actor, "teams.manage")
    if status is not None and status not in Team.Status.values:
        raise PeopleRefused(f'"{status}" is no status of a team. Use {" or ".join(Team.Status.values)}.')
    with recorded(actor, "team:change", team, team_id=team.pk) as trail:
        before = picture(team)
        asked: dict[str, Any] = {}
        if name is not None:
            asked["name"] = check_name(name)
        if cost_centre_code is not None:
            asked["cost_centre"] = cost_centre(cost_centre_code)
        if status is not None:
            asked["status"] = status
        seen = {"name": team.name, "cost_centre": team.cost_centre, "status": team.status}
        if all(seen[field] == value for field, value in asked.items()):
            trail.skip()
            return team
        if not Team.objects.filter(pk=team.pk, **seen).update(**asked):
            raise PeopleRefused("Somebody else changed this team meanwhile. Load the page again and look at it first.")
        team.refresh_from_db()
        trail.before, trail.after = before, picture(team)
        trail.changed("team", team.pk)
    return team


def set_member(
    *, actor: Actor, team: Team, person: User, role: str = Membership.Role.MEMBER, source: str = Source.MANUAL
) -> Membership:
    """Add a person to a team, or change their role there (member or lead).

    Needs teams.manage, or team.manage and to lead this team; a lead changes nothing of their own. What was set by hand
    or by configuration stays when sign-in groups say otherwise.
    """
    check_may_manage(actor, team, person)
    if role not in Membership.Role.values:
        raise PeopleRefused(f'"{role}" is no role in a team. Use {" or ".join(Membership.Role.values)}.')
    with recorded(actor, "member:set", person, team_id=team.pk) as trail:
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)  # one change of its members at a time
        held = Membership.objects.filter(team=team, user=person).first()
        origin = stronger(held.source if held else None, source)
        pinned = origin != source and source == Source.SSO
        if held and (pinned or (held.role, held.source) == (role, origin)):
            trail.skip()
            return held
        trail.before = {"team": team.slug, "role": held.role, "source": held.source} if held else {}
        if held is None:
            held = Membership.objects.create(team=team, user=person, role=role, source=origin)
        else:
            held.role, held.source = role, origin
            held.save(update_fields=["role", "source"])
        trail.after = {"team": team.slug, "role": role, "source": origin}
        trail.changed("user", person.pk)
    return held


def remove_member(*, actor: Actor, team: Team, person: User) -> None:
    """Take a person out of a team; their keys for it stop within a second. Rights as for set_member."""
    check_may_manage(actor, team, person)
    with recorded(actor, "member:remove", person, team_id=team.pk) as trail:
        held = Membership.objects.select_for_update().filter(team=team, user=person).first()
        if held is None:
            trail.skip()
            return
        held.delete()
        trail.before = {"team": team.slug, "role": held.role, "source": held.source}
        trail.after = {"team": team.slug}
        trail.changed("user", person.pk)


def check_may_manage(actor: Actor, team: Team, person: User) -> None:
    """Raise PermissionDenied unless the actor may change who belongs to `team`.

    Platform admins hold every right of a team already, so they may join one; a lead changes only others.
    """
    viewer = demand(actor, "teams.manage", team=team, in_team="team.manage")
    if viewer and is_oneself(actor, person) and not viewer.allows("teams.manage"):
        raise PermissionDenied("Nobody changes their own place in a team. Ask another lead or a platform admin.")


def cost_centre(code: str) -> CostCentre | None:
    """Return the cost centre of that code, made when new; None for an empty code."""
    code = " ".join(code.split())
    if not code:
        return None
    if len(code) > 64 or not code.isprintable():
        raise PeopleRefused("A cost centre has 1 to 64 visible characters.")
    return CostCentre.objects.get_or_create(code=code)[0]


def check_slug(slug: str) -> str:
    slug = slug.strip().lower()
    try:
        validate_slug(slug)
    except ValidationError:
        slug = ""
    if not slug or len(slug) > 64:
        raise PeopleRefused("The short name has 1 to 64 letters, digits, hyphens or underscores, such as search.")
    return slug


def check_name(name: str) -> str:
    cleaned = clean_name(name)
    if not cleaned:
        raise PeopleRefused("A name is needed: 1 to 200 visible characters.")
    return cleaned


def picture(team: Team) -> dict[str, Any]:
    """What the audit trail keeps of a team."""
    return {
        "slug": team.slug,
        "name": team.name,
        "cost_centre": team.cost_centre.code if team.cost_centre else "",
        "status": team.status,
    }
