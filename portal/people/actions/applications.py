"""Applications of a team."""

from portal.people.actions.rules import PeopleRefused, demand
from portal.people.actions.teams import check_name, check_slug
from portal.people.audit import Actor, recorded
from portal.people.models import Application, Membership, Team, User


def create_application(*, actor: Actor, team: Team, slug: str, name: str, owner: User | None) -> Application:
    """Register software that calls models for `team`. Needs teams.manage, or team.manage and to lead this team.

    Raises PeopleRefused for a name that is taken, or an owner from outside the team.
    """
    demand(actor, "teams.manage", team=team, in_team="team.manage")
    slug, name = check_slug(slug), check_name(name)
    with recorded(actor, "application:create", team_id=team.pk) as trail:
        if Application.objects.filter(team=team, slug=slug).exists():
            raise PeopleRefused(f'The team has an application "{slug}" already. Choose another short name.')
        if owner and not Membership.objects.filter(team=team, user=owner).exists():
            raise PeopleRefused(f"{owner.label} does not belong to {team.name}. Add them to the team first.")
        application = Application.objects.create(team=team, slug=slug, name=name, owner=owner)
        trail.target = application
        trail.after = {"team": team.slug, "slug": slug, "name": name, "owner": owner.email if owner else ""}
    return application
