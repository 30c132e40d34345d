"""What a demo starts with; a second run changes no data, not even what people have changed meanwhile."""

import pytest
from django.test import Client

from billing.models import Quota, UsageEvent
from catalog.access import access_of
from catalog.actions.models import retire_model
from catalog.connection import connected_model_ids
from catalog.models import Model, Price, TeamModel
from gateway.control.compile import compile_all
from portal.demo.data import load_demo
from portal.demo.personas import PERSONAS
from portal.people.access import viewer_of
from portal.people.audit import Actor
from portal.people.models import AuditEvent, Change, Membership, Team, User
from tests.factories.people import SYSTEM

pytestmark = pytest.mark.django_db
DEMO = Actor("demo")


@pytest.fixture
def loaded() -> None:
    load_demo(DEMO)


def state_of(email: str, slug: str) -> str:
    return access_of(viewer_of(User.objects.get(email=email)), Model.objects.get(slug=slug)).state


def test_a_second_run_changes_nothing(loaded: None) -> None:
    before = AuditEvent.objects.count(), Change.objects.count(), User.objects.count()
    load_demo(DEMO)
    assert (AuditEvent.objects.count(), Change.objects.count(), User.objects.count()) == before


def test_what_people_changed_stays_changed(loaded: None) -> None:
    retire_model(actor=SYSTEM, model=Model.objects.get(slug="demo-embed"))
    Quota.objects.all().delete()
    load_demo(DEMO)
    assert Model.objects.get(slug="demo-embed").stage == "retired"
    assert not Quota.objects.exists()


def test_the_employee_can_call_one_model_and_ask_for_another(loaded: None) -> None:
    assert state_of("erin@example.com", "demo-chat") == "yours"
    assert state_of("erin@example.com", "demo-embed") == "yours"
    assert state_of("erin@example.com", "demo-chat-large") == "request"
    assert state_of("erin@example.com", "claude-sonnet-4-5") == "blocked"


def test_every_persona_is_there_and_the_lead_leads_the_employees_team(loaded: None) -> None:
    assert {persona.email for persona in PERSONAS} <= set(User.objects.active().values_list("email", flat=True))
    team = Membership.objects.get(user__email="erin@example.com").team
    assert Membership.objects.get(team=team, user__email="lea@example.com").role == "lead"
    assert Quota.objects.filter(scope_kind="team", scope_id=team.pk, metric="usd").exists()


def test_only_the_demo_models_are_connected_and_their_prices_say_that_they_are_made_up(loaded: None) -> None:
    connected = connected_model_ids(Model.objects.values_list("pk", flat=True))
    assert set(Model.objects.filter(pk__in=connected).values_list("slug", flat=True)) == {
        "demo-chat",
        "demo-chat-large",
        "demo-embed",
        "demo-image",
        "demo-rerank",
        "demo-moderation",
        "demo-speech",
        "demo-transcription",
    }
    prices = Price.objects.filter(model__in=connected)
    assert {(price.source, bool(price.free or price.input or price.units)) for price in prices} == {
        ("made-up demo price", True)
    }


def test_no_usage_is_made_up(loaded: None) -> None:
    assert not UsageEvent.objects.exists()


def test_a_key_that_comes_later_connects_its_provider_for_the_teams(
    loaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-live-Zq7mT4vX9pLw2")
    load_demo(DEMO)
    assert state_of("erin@example.com", "gpt-4o-mini") == "yours"
    assert state_of("erin@example.com", "gpt-4o") == "request"
    (place,) = compile_all().models_by_slug["gpt-4o-mini"].deployments
    assert (place.base_url, place.credential) == ("https://api.openai.com/v1", "sk-live-Zq7mT4vX9pLw2")
    before = AuditEvent.objects.count()
    TeamModel.objects.filter(team=Team.objects.get(slug="payments")).delete()
    load_demo(DEMO)
    assert AuditEvent.objects.count() == before
    assert not TeamModel.objects.filter(team__slug="payments").exists()


def test_the_pages_of_the_demo_show(loaded: None, client: Client) -> None:
    client.force_login(
        User.objects.get(email="erin@example.com"), backend="portal.people.identity.backend.ActivePersonBackend"
    )
    for model in Model.objects.all():
        assert client.get(f"/catalog/models/{model.slug}").status_code == 200
