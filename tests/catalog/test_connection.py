"""A provider whose key is nowhere to be found serves nothing, and the catalogue says so."""

import pytest
from pytest_django import Settings

from catalog.actions.credentials import set_credential
from catalog.connection import connected_model_ids
from catalog.models import Model
from tests.factories.catalog import ServedModelFactory
from tests.factories.people import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> Model:
    model: Model = ServedModelFactory()
    set_credential(actor=SYSTEM, provider=model.deployments.get().provider, env="ACME_KEY")
    return model


def test_without_the_variable_it_is_not_connected(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connected_model_ids([model.pk]) == set()
    monkeypatch.setenv("ACME_KEY", "sk-something")
    assert connected_model_ids([model.pk]) == {model.pk}


def test_a_portal_beside_its_gateway_does_not_judge_by_its_own_environment(model: Model, settings: Settings) -> None:
    settings.SERVE = "portal"
    assert connected_model_ids([model.pk]) == {model.pk}
