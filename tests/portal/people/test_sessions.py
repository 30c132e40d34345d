"""Sessions know whose they are, and old ones are forgotten."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.people.models import PersonSession
from portal.people.tasks import trim_sessions
from tests.factories.people import UserFactory

pytestmark = pytest.mark.django_db
BACKEND = "portal.people.identity.backend.ActivePersonBackend"


def test_a_session_without_a_person_belongs_to_nobody(client: Client) -> None:
    session = client.session
    session["x"] = 1
    session.save()
    assert PersonSession.objects.get().user_id == ""


def test_ended_sessions_are_forgotten_and_others_stay() -> None:
    people = [UserFactory(), UserFactory()]
    for person in people:
        Client().force_login(person, backend=BACKEND)
    PersonSession.objects.filter(user_id=people[0].pk).update(expire_date=timezone.now() - timedelta(seconds=1))
    trim_sessions()
    assert list(PersonSession.objects.values_list("user_id", flat=True)) == [people[1].pk]


def test_too_many_tries_from_one_address_are_told(client: Client, settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    client.post("/accounts/login/", {"login": "a@example.com", "password": "x"})
    response = client.post("/accounts/login/", {"login": "a@example.com", "password": "x"})
    assert response.status_code == 429
    assert "That was too often" in response.content.decode()
