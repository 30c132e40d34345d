"""What somebody may do with a model, and why: the page and the filter say the same."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.access import STATES, access_of, access_to_all, model_ids_of, models_of_team, ranked, usable_by
from catalog.actions.access import add_team_model, end_grant, grant_model, remove_team_model, set_team_models
from catalog.models import Model, ModelGrant, TeamModel
from portal.people.access import Viewer, viewer_of
from portal.people.models import Change, Team
from tests.factories.catalog import ModelFactory, ServedModelFactory, TeamModelFactory
from tests.factories.people import SYSTEM, MembershipFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return TeamFactory(name="Search")


@pytest.fixture
def viewer(team: Team) -> Viewer:
    return viewer_of(MembershipFactory(team=team).user)


def state(viewer: Viewer, model: Model) -> str:
    """Return the state, after making sure that the database's filter agrees."""
    told = access_of(viewer, model).state
    assert STATES[ranked(Model.objects.filter(pk=model.pk), viewer).get().access] == told  # type: ignore[attr-defined]
    return told


def test_a_model_of_the_team_is_yours(viewer: Viewer, team: Team) -> None:
    model = TeamModelFactory(team=team).model
    assert state(viewer, model) == "yours"
    assert "Search" in access_of(viewer, model).why
    assert model_ids_of(viewer) == {model.pk}
    assert list(models_of_team(team)) == list(usable_by(viewer, team)) == [model]


def test_another_teams_model_is_on_request(viewer: Viewer) -> None:
    assert state(viewer, TeamModelFactory().model) == "request"


def test_who_is_in_no_team_can_ask_for_nothing() -> None:
    assert state(viewer_of(UserFactory()), ServedModelFactory()) == "blocked"


def test_a_blocked_team_lends_nothing(viewer: Viewer, team: Team) -> None:
    model = TeamModelFactory(team=team).model
    Team.objects.filter(pk=team.pk).update(status=Team.Status.BLOCKED)
    assert state(viewer, model) == "blocked"
    assert model_ids_of(viewer) == set()


@pytest.mark.parametrize("retired", [{"stage": "retired"}, {"retires_on": timezone.now().date()}])
def test_a_retired_model_is_blocked(viewer: Viewer, team: Team, retired: dict[str, object]) -> None:
    assert state(viewer, TeamModelFactory(team=team, model=ServedModelFactory(**retired)).model) == "blocked"


def test_what_nobody_serves_is_not_connected_yet(viewer: Viewer, team: Team) -> None:
    model = TeamModelFactory(team=team, model=ModelFactory()).model
    assert state(viewer, model) == "blocked"
    assert access_of(viewer, model).words == "Not connected yet"


@pytest.mark.parametrize("missing", ["price", "deployment", "provider"])
def test_connected_means_priced_deployed_and_in_use(viewer: Viewer, team: Team, missing: str) -> None:
    model = TeamModelFactory(team=team).model
    if missing == "price":
        model.prices.update(effective_from=timezone.now() + timedelta(days=1))
    elif missing == "deployment":
        model.deployments.update(enabled=False)
    else:
        for deployment in model.deployments.all():
            type(deployment.provider).objects.filter(pk=deployment.provider_id).update(enabled=False)
    assert state(viewer, model) == "blocked"


def test_an_exception_makes_it_yours_until_it_ends(viewer: Viewer, team: Team) -> None:
    model = ServedModelFactory()
    until = timezone.now() + timedelta(days=2)
    grant = grant_model(actor=SYSTEM, team=team, user=viewer.user, key_id="", model=model, until=until)
    assert state(viewer, model) == "yours"
    assert state(viewer_of(MembershipFactory(team=team).user), model) == "request"
    end_grant(actor=SYSTEM, grant=grant)
    end_grant(actor=SYSTEM, grant=grant)
    assert state(viewer, model) == "request"
    assert Change.objects.filter(kind="team", entity_id=team.pk).count() == 2


def test_an_exception_ends_by_itself(viewer: Viewer, team: Team) -> None:
    model = ServedModelFactory()
    ModelGrant.objects.create(team=team, user=viewer.user, model=model, until=timezone.now() - timedelta(seconds=1))
    assert state(viewer, model) == "request"
    with pytest.raises(ValidationError):
        grant_model(actor=SYSTEM, team=team, user=None, key_id="", model=model, until=timezone.now())


def test_the_models_of_a_team_are_set_added_and_taken_away(team: Team) -> None:
    one, two, three = (ModelFactory() for _ in range(3))
    set_team_models(actor=SYSTEM, team=team, models=[one, two])
    set_team_models(actor=SYSTEM, team=team, models=[two, one])
    add_team_model(actor=SYSTEM, team=team, model=three)
    add_team_model(actor=SYSTEM, team=team, model=three)
    remove_team_model(actor=SYSTEM, team=team, model=one)
    remove_team_model(actor=SYSTEM, team=team, model=one)
    assert set(TeamModel.objects.values_list("model_id", flat=True)) == {two.pk, three.pk}
    assert Change.objects.filter(kind="team", entity_id=team.pk).count() == 3


def test_the_number_of_queries_does_not_grow_with_the_models(
    viewer: Viewer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    models = ServedModelFactory.create_batch(12)
    with django_assert_num_queries(5):
        access_to_all(viewer, models)
