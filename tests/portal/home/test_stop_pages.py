"""The kill switch in the portal: its page, its form, and the notes on the pages of what is stopped."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from portal.people.models import AuditEvent, Stop, User
from portal.people.permissions import Role
from tests.factories.catalog import ProviderFactory, ServedModelFactory
from tests.factories.people import TeamFactory, person_as

pytestmark = pytest.mark.django_db
BACKEND = "portal.people.identity.backend.ActivePersonBackend"
LIST, ADD = "/stops", "/stops/new"


def as_(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


@pytest.fixture
def admin() -> Client:
    return as_(person_as(Role.PLATFORM_ADMIN, name="Pia"))


def test_an_admin_stops_and_lifts_a_model(admin: Client) -> None:
    model = ServedModelFactory()
    assert "Nothing is stopped" in admin.get(LIST).content.decode()
    answer = admin.post(ADD, {"kind": "model", "name": model.slug, "reason": "It leaks."}, follow=True)
    assert f"Stopped: {model.slug}" in answer.content.decode()
    page = admin.get(reverse("catalog-model-detail", args=[model.slug])).content.decode()
    assert f"The model {model.slug} is stopped" in page
    assert "It leaks." in page
    lift = reverse("home-stop-lift", args=[Stop.objects.get().pk])
    assert lift in page
    assert admin.post(lift, {"reason": "Mended."}).status_code == 302
    assert not Stop.objects.exists()
    assert "is stopped" not in admin.get(reverse("catalog-model-detail", args=[model.slug])).content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "provider", "name": "acme"}, "This field is required"),
        ({"kind": "provider", "name": "no-such", "reason": "x"}, "There is no provider"),
        ({"kind": "everything", "name": "all", "reason": "x"}, "write &quot;everything&quot;"),
        ({"kind": "weather", "name": "rain", "reason": "x"}, "Select a valid choice"),
    ],
)
def test_the_form_says_what_is_wrong(admin: Client, fields: dict[str, str], words: str) -> None:
    ProviderFactory(slug="acme")
    answer = admin.post(ADD, fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Stop.objects.exists()


def test_everybody_reads_on_their_front_page_that_everything_is_stopped(admin: Client) -> None:
    admin.post(ADD, {"kind": "everything", "name": "everything", "reason": "An incident."})
    page = as_(person_as(Role.EMPLOYEE)).get("/").content.decode()
    assert "Every call is stopped" in page
    assert "An incident." in page
    assert "/lift" not in page


def test_a_lead_is_offered_and_finds_only_their_own_team() -> None:
    team, other = TeamFactory(slug="mine"), TeamFactory(slug="theirs")
    lead = as_(person_as(Role.LEAD, team=team))
    page = lead.get(ADD).content.decode()
    assert 'value="team"' in page
    assert 'value="provider"' not in page
    assert lead.post(ADD, {"kind": "team", "name": other.slug, "reason": "x"}).status_code == 422
    assert lead.post(ADD, {"kind": "provider", "name": "x", "reason": "x"}).status_code == 422
    assert lead.post(ADD, {"kind": "team", "name": team.slug, "reason": "x"}).status_code == 302
    assert "is stopped" in lead.get(reverse("people-team-detail", args=[team.pk])).content.decode()
    assert [stop.entity_id for stop in Stop.objects.all()] == [team.pk]


def test_an_auditor_sees_and_changes_nothing(admin: Client) -> None:
    admin.post(ADD, {"kind": "everything", "name": "everything", "reason": "An incident."})
    auditor = as_(person_as(Role.AUDITOR))
    page = auditor.get(LIST).content.decode()
    assert "An incident." in page
    assert ADD not in page
    assert auditor.get(ADD).status_code == 403


def test_a_command_is_audited_under_who_ran_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "operator")
    ProviderFactory(slug="acme")
    call_command("stop", "provider", "acme", "--reason", "It leaks.")
    assert Stop.objects.get().by_label == "operator (command)"
    call_command("unstop", "provider", "acme", "--reason", "Mended.")
    labels = set(AuditEvent.objects.filter(target_kind="stop").values_list("actor_label", flat=True))
    assert labels == {"operator (command)"}
