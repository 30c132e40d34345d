"""How careful a key's calls are taken at least: who may say so, on which pages, and what the gateway is told."""

from typing import Any

import pytest
from django.urls import reverse

from gateway.control.keys import read_entries
from portal.keys.actions.keys import mint_key
from portal.keys.actions.narrowing import narrow_key
from portal.keys.models import Key
from portal.keys.refusal import Refused
from portal.people.actions.applications import create_application, set_data_floor
from portal.people.actions.rules import PeopleRefused
from portal.people.models import AuditEvent, Change, Team, User
from portal.people.permissions import Role
from tests.factories.keys import in_days, member_of, minted, team_with
from tests.factories.people import SYSTEM, acting, person_as
from tests.portal.keys.pages import signed_in, text
from tests.portal.keys.test_api import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", slug="search")


@pytest.fixture
def member(team: Team) -> User:
    return member_of(team)


def floor_at_the_gateway(key: Key) -> str:
    (entry,) = read_entries([key.secrets.get().pk]).values()
    return entry.data_floor


def test_owners_raise_a_floor_and_only_admins_lower_it(team: Team, member: User) -> None:
    key, _ = minted(member, team)
    assert floor_at_the_gateway(key) == ""
    for wanted in ("public", "internal", "secret"):
        with pytest.raises(Refused):
            narrow_key(actor=acting(member), key=key, data_class=wanted)
    assert narrow_key(actor=acting(member), key=key, data_class="confidential")
    assert floor_at_the_gateway(key) == "confidential"
    for wanted in ("", "internal"):
        with pytest.raises(Refused, match="restricted"):
            narrow_key(actor=acting(member), key=key, data_class=wanted)
    assert narrow_key(actor=acting(member), key=key, data_class="restricted")
    assert narrow_key(actor=acting(person_as(Role.PLATFORM_ADMIN)), key=key, data_class="public")
    assert floor_at_the_gateway(key) == "public"
    event = AuditEvent.objects.filter(event="portal:key:narrow").latest("at", "pk")
    assert (event.before, event.after) == ({"data_class": "restricted"}, {"data_class": "public"})


def test_a_keys_floor_goes_before_that_of_its_application(team: Team) -> None:
    lead = person_as(Role.LEAD, team=team)
    app = create_application(actor=SYSTEM, team=team, slug="ranker", name="Ranker", owner=None)
    service = {
        "owner": lead,
        "team": team,
        "models": None,
        "expires_at": in_days(9),
        "kind": "service",
        "application": app,
    }
    key, _ = mint_key(actor=acting(lead), name="one", **service)
    set_data_floor(actor=acting(lead), application=app, data_class="confidential")
    assert floor_at_the_gateway(key) == "confidential"
    event = AuditEvent.objects.get(event="portal:application:set_data_floor")
    assert Change.objects.filter(revision=event.revision, kind="team", entity_id=team.pk).exists()
    app.refresh_from_db()
    with pytest.raises(Refused):
        mint_key(actor=acting(lead), name="two", data_class="internal", **service)
    other, _ = mint_key(actor=acting(lead), name="two", data_class="restricted", **service)
    assert floor_at_the_gateway(other) == "restricted"
    with pytest.raises(PeopleRefused, match="less careful"):
        set_data_floor(actor=acting(lead), application=app, data_class="")


def test_pages_and_api_say_and_take_it(team: Team, member: User) -> None:
    client = signed_in(member)
    key, _ = minted(member, team)
    page = text(client.get(reverse("keys-key-narrow", args=[key.pk])))
    assert "Confidential" in page
    assert ">Internal<" not in page
    answer = send(client, "PATCH", f"/api/v1/keys/{key.pk}", {"data_class": "confidential"})
    assert answer.json()["data_class"] == "confidential"
    assert send(client, "PATCH", f"/api/v1/keys/{key.pk}", {"data_class": "public"}).status_code == 400
    assert "confidential or more careful" in text(client.get(reverse("keys-key-detail", args=[key.pk])))
    body = {"name": "second", "data_class": "restricted"}
    assert send(client, "POST", "/api/v1/keys", body).json()["data_class"] == "restricted"
    lead: Any = signed_in(person_as(Role.LEAD, team=team))
    app = create_application(actor=SYSTEM, team=team, slug="ranker", name="Ranker", owner=None)
    url = reverse("people-application-edit", args=[app.pk])
    assert url in text(lead.get(reverse("people-team-detail", args=[team.pk])))
    assert lead.post(url, {"data_class": "restricted"}).status_code == 302
    assert client.post(url, {"data_class": "restricted"}).status_code == 403
    assert signed_in(person_as(Role.EMPLOYEE)).get(url).status_code == 404
    assert [one["data_class"] for one in lead.get("/api/v1/applications").json()["results"]] == ["restricted"]
    answer = send(lead, "PATCH", f"/api/v1/applications/{app.pk}", {"data_class": ""})
    assert "less careful" in answer.json()["error"]["fields"]["data_class"][0]
    assert send(client, "PATCH", f"/api/v1/applications/{app.pk}", {"data_class": "restricted"}).status_code == 403
