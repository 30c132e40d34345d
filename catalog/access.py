"""Which models somebody may use, and why or why not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from catalog.connection import connected_model_ids, connections
from catalog.models import Model, ModelGrant, TeamModel
from portal.people.access import Viewer
from portal.people.models import Team

State = Literal["yours", "request", "blocked"]
STATES: tuple[State, ...] = ("yours", "request", "blocked")


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may do with a model: use it (`yours`), ask for it (`request`), or neither (`blocked`), and why."""

    state: State
    words: str
    why: str


def models_of_team(team: Team) -> QuerySet[Model]:
    """Return the models that `team` may use without an exception, retired ones left out."""
    return Model.objects.listed().filter(team_models__team=team)


def usable_by(viewer: Viewer, team: Team, at: datetime | None = None) -> QuerySet[Model]:
    """Return what `viewer` may use for `team`: the team's models and those granted to the team or the person."""
    granted = _grants(viewer, at or timezone.now()).filter(team=team).values("model_id")
    return Model.objects.listed().filter(Q(team_models__team=team) | Q(pk__in=granted)).distinct()


def access_of(viewer: Viewer, model: Model) -> Access:
    """Return what `viewer` may do with `model`."""
    return access_to_all(viewer, [model])[model.pk]


def access_to_all(viewer: Viewer, models: Iterable[Model]) -> dict[str, Access]:
    """Return what `viewer` may do with each of `models`, by id; a fixed number of queries however many there are."""
    models = list(models)
    ids = [model.pk for model in models]
    teams = dict(Team.objects.filter(pk__in=viewer.team_ids, status=Team.Status.ACTIVE).values_list("pk", "name"))
    through: dict[str, list[str]] = {}
    for model_id, team_id in TeamModel.objects.filter(model_id__in=ids, team_id__in=teams).values_list(
        "model_id", "team_id"
    ):
        through.setdefault(model_id, []).append(teams[team_id])
    until = dict(
        _grants(viewer, timezone.now())
        .filter(model_id__in=ids, team_id__in=teams)
        .order_by("until")
        .values_list("model_id", "until")
    )
    connected = connected_model_ids(ids)
    today = timezone.now().date()
    return {
        model.pk: _decide(
            model, sorted(through.get(model.pk, [])), until.get(model.pk), model.pk in connected, today, bool(teams)
        )
        for model in models
    }


def ranked(rows: QuerySet[Model], viewer: Viewer) -> QuerySet[Model]:
    """Annotate `rows` with `access`: the place in `STATES` of what `access_of` says, found by the database."""
    active = Team.objects.filter(pk__in=viewer.team_ids, status=Team.Status.ACTIVE)
    own = TeamModel.objects.filter(team__in=active).values("model_id")
    granted = _grants(viewer, timezone.now()).filter(team__in=active).values("model_id")
    retired = Q(stage=Model.Stage.RETIRED) | Q(retires_on__isnull=False, retires_on__lte=timezone.now().date())
    served = ~retired & Q(pk__in=connections().values("model_id"))
    yours = When(served & (Q(pk__in=own) | Q(pk__in=granted)), then=Value(0))
    # who is in no team can ask for nothing
    askable = [When(served, then=Value(1))] if viewer.team_ids and active.exists() else []
    return rows.annotate(access=Case(yours, *askable, default=Value(2), output_field=IntegerField()))


def model_ids_of(viewer: Viewer) -> set[str]:
    """Return the ids of all models that `viewer` may use through a team or an exception."""
    active = Team.objects.filter(pk__in=viewer.team_ids, status=Team.Status.ACTIVE)
    own = TeamModel.objects.filter(team__in=active).values_list("model_id", flat=True)
    granted = _grants(viewer, timezone.now()).filter(team__in=active).values_list("model_id", flat=True)
    return {*own, *granted}


def _grants(viewer: Viewer, at: datetime) -> QuerySet[ModelGrant]:
    """Grants in force for the person, or for the whole of one of their teams."""
    mine = Q(user=viewer.user) | Q(user__isnull=True, key_id="")
    return ModelGrant.objects.in_force(at).filter(mine, team_id__in=viewer.team_ids)


def _decide(
    model: Model, teams: list[str], until: datetime | None, connected: bool, today: date, in_team: bool
) -> Access:
    if model.stage == Model.Stage.RETIRED or (model.retires_on is not None and model.retires_on <= today):
        return Access("blocked", "Retired", "It is retired. Choose another model.")
    if not connected:
        return Access(
            "blocked", "Not connected yet", "No provider serves it here yet. A platform admin can connect one."
        )
    if teams:
        return Access("yours", "Yours", f"{', '.join(teams)} may use it.")
    if until is not None:
        return Access("yours", "Yours for a while", f"An exception lets you use it until {until:%d %b %Y %H:%M} UTC.")
    if not in_team:
        return Access("blocked", "No team yet", "You are in no active team. Ask a team lead to add you.")
    return Access("request", "On request", "Your team does not have it yet. You can ask for it.")
