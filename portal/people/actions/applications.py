"""Applications of a team."""

from portal.people.actions.rules import PeopleRefused, demand
from portal.people.actions.teams import check_name, check_slug
from portal.people.audit import Actor, recorded
from portal.people.data_floors import refusal
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


def set_data_floor(*, actor: Actor, application: Application, data_class: str) -> None:
    """Say how careful at least the calls of an application's keys are to be taken; "" leaves it to each model's tier.

    Needs teams.manage, or team.manage and to lead its team. Writes nothing where it is so already. Raises PeopleRefused.
    """
    demand(actor, "teams.manage", team=application.team, in_team="team.manage")
    with recorded(actor, "application:set_data_floor", application, team_id=application.team_id) as trail:
        row = Application.objects.select_for_update().get(pk=application.pk)
        if why := refusal(actor, row.data_class, data_class):
            raise PeopleRefused(why)
        if row.data_class == data_class:
            trail.skip()
            return
        trail.before, trail.after = {"data_class": row.data_class}, {"data_class": data_class}
        Application.objects.filter(pk=row.pk).update(data_class=data_class)
        trail.changed("team", row.team_id)  # gateways read the keys of the team anew
