"""Writes about who may use which model."""

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Model, ModelGrant, TeamModel
from portal.people.actions.rules import demand
from portal.people.audit import Actor, recorded
from portal.people.models import Team, User


def set_team_models(*, actor: Actor, team: Team, models: Iterable[Model]) -> None:
    """Make `models` all that `team` may use. Needs catalog.manage. Writes nothing where nothing differs."""
    demand(actor, "catalog.manage")
    wanted = {model.pk: model.slug for model in models}
    with recorded(actor, "team:set_models", team, team_id=team.pk) as trail:
        Team.objects.select_for_update().get(pk=team.pk)
        standing = dict(TeamModel.objects.filter(team=team).values_list("model_id", "model__slug"))
        if standing.keys() == wanted.keys():
            trail.skip()
            return
        TeamModel.objects.filter(team=team, model_id__in=standing.keys() - wanted.keys()).delete()
        TeamModel.objects.bulk_create(TeamModel(team=team, model_id=pk) for pk in wanted.keys() - standing.keys())
        trail.before, trail.after = {"models": sorted(standing.values())}, {"models": sorted(wanted.values())}
        trail.changed("team", team.pk)


def add_team_model(*, actor: Actor, team: Team, model: Model) -> None:
    """Let `team` use `model`, beside what it has. Needs catalog.manage. Writes nothing where it may already."""
    demand(actor, "catalog.manage")
    with recorded(actor, "team:add_model", team, team_id=team.pk) as trail:
        Team.objects.select_for_update().get(pk=team.pk)
        _, made = TeamModel.objects.get_or_create(team=team, model=model)
        if not made:
            trail.skip()
            return
        trail.after = {"model": model.slug}
        trail.changed("team", team.pk)


def remove_team_model(*, actor: Actor, team: Team, model: Model) -> None:
    """Take `model` away from `team`; its keys lose it within a second. Needs catalog.manage. Exceptions in force stay."""
    demand(actor, "catalog.manage")
    with recorded(actor, "team:remove_model", team, team_id=team.pk) as trail:
        if not TeamModel.objects.filter(team=team, model=model).delete()[0]:
            trail.skip()
            return
        trail.before = {"model": model.slug}
        trail.changed("team", team.pk)


def grant_model(
    *, actor: Actor, team: Team, user: User | None, key_id: str, model: Model, until: datetime, request_id: str = ""
) -> ModelGrant:
    """Let a person (`user`) or one key (`key_id`; both empty: the whole team) use `model` for `team` until a moment.

    For who decides on requests, a lead those of their team. Raises ValidationError when that moment has passed, PermissionDenied.
    """
    demand(actor, "requests.decide_all", team=team, in_team="requests.decide")
    if until <= timezone.now():
        raise ValidationError({"until": "An exception ends in the future."})
    with recorded(actor, "model:grant", team_id=team.pk) as trail:
        grant = ModelGrant.objects.create(
            team=team, user=user, key_id=key_id, model=model, until=until, request_id=request_id
        )
        trail.target = grant
        trail.after = _shown(grant)
        trail.changed("team", team.pk)
    return grant


def end_grant(*, actor: Actor, grant: ModelGrant) -> None:
    """End an exception now. For who could have granted it. Ending it twice changes nothing."""
    demand(actor, "requests.decide_all", team=grant.team, in_team="requests.decide")
    with recorded(actor, "model:end_grant", grant, team_id=grant.team_id) as trail:
        now = timezone.now()
        if not ModelGrant.objects.filter(pk=grant.pk, ended_at__isnull=True).update(ended_at=now):
            trail.skip()
            return
        grant.ended_at = now
        trail.before = _shown(grant)
        trail.after = {"ended_at": now.isoformat()}
        trail.changed("team", grant.team_id)


def _shown(grant: ModelGrant) -> dict[str, str]:
    return {
        "model": grant.model.slug,
        "team": grant.team.slug,
        "user": grant.user_id or "",
        "key": grant.key_id,
        "until": grant.until.isoformat(),
        "request": grant.request_id,
    }
