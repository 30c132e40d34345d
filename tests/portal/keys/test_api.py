"""The REST API: the same rules as the pages, one shape of error, and exactly what its description says."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.test import Client
from django.test.client import ClientHandler
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.models import Quota
from catalog.models import Alias, Model, ModelGrant, Provider
from gateway import keyformat
from portal.keys.models import Key, KeyRequest
from portal.people.models import Team, User
from tests.factories.billing import QuotaFactory
from tests.factories.catalog import AliasFactory, ServedModelFactory
from tests.factories.keys import KeyFactory, asked_for_model, in_days, member_of, minted, team_with
from tests.factories.people import person_as
from tests.portal.keys.pages import signed_in, text

pytestmark = pytest.mark.django_db
JSON = "application/json"
TABLES = {
    "key_id": Key,
    "request_id": KeyRequest,
    "quota_id": Quota,
    "model_id": Model,
    "alias_id": Alias,
    "provider_id": Provider,
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def team() -> Team:
    return team_with("chat-small", "chat-large", slug="search")


@pytest.fixture
def member(team: Team) -> User:
    return member_of(team)


def send(client: Client, method: str, url: str, body: Any = None) -> Any:
    return client.generic(method, url, json.dumps(body or {}), content_type=JSON)


def test_a_key_from_mint_to_revocation(team: Team, member: User) -> None:
    client = signed_in(member)
    body = {
        "name": "ci",
        "models": ["chat-small", "chat-large"],
        "limits": [{"metric": "usd", "window": "month", "limit": "5"}],
    }
    made = send(client, "POST", "/api/v1/keys", body)
    assert made.status_code == 201, made.json()
    assert "no-store" in made.headers["cache-control"]
    secret, key_id = made.json()["secret"], made.json()["id"]
    assert keyformat.well_formed(secret)
    read = client.get(f"/api/v1/keys/{key_id}")
    assert "secret" not in read.json()
    assert secret not in text(read)
    assert read.json()["limits"][0] | {"quota": "", "resets_at": ""} == {
        "quota": "", "metric": "usd", "window": "month", "limit": "5.00", "spent": "0.00", "left": "5.00", "resets_at": "",
    }  # fmt: skip
    narrowed = send(client, "PATCH", f"/api/v1/keys/{key_id}", {"models": ["chat-small"]})
    assert narrowed.json()["models"] == ["chat-small"]
    widened = send(client, "PATCH", f"/api/v1/keys/{key_id}", {"models": ["chat-large"]})
    assert widened.status_code == 400
    assert widened.json()["error"]["code"] == "wider"
    assert client.delete(f"/api/v1/keys/{key_id}").status_code == 204
    assert client.get(f"/api/v1/keys/{key_id}").json()["state"] == "revoked"


def test_a_limit_from_setting_to_removal(team: Team, member: User) -> None:
    finance, lead = signed_in(person_as("finance")), signed_in(person_as("lead", team=team))
    body = {
        "scope": "team", "name": "search", "model": "chat-large", "metric": "usd", "window": "week", "limit": "5",
        "step_down": "chat-small", "notify": [90],
    }  # fmt: skip
    made = send(finance, "POST", "/api/v1/limits", body)
    assert made.status_code == 201, made.json()
    url = f"/api/v1/limits/{made.json()['id']}"
    assert made.json() | {"id": "", "resets_at": ""} == {
        "id": "", "scope": "team", "scope_id": team.pk, "model": "chat-large", "metric": "usd", "window": "week",
        "limit": "5.00", "spent": "0.00", "left": "5.00", "resets_at": "", "step_down": "chat-small", "notify": [90],
    }  # fmt: skip
    changed = send(finance, "PATCH", url, {"notify": [50, 80]}).json()
    assert (changed["id"], changed["limit"], changed["step_down"], changed["notify"]) == (
        made.json()["id"], "5.00", "chat-small", [50, 80]
    )  # fmt: skip
    assert send(lead, "PATCH", url, {"limit": "6"}).status_code == 403
    assert send(lead, "PATCH", url, {"limit": "4"}).json()["limit"] == "4.00"
    assert send(signed_in(member), "PATCH", url, {"limit": "1"}).status_code == 403
    assert send(signed_in(person_as("employee")), "GET", url).status_code == 404
    assert lead.delete(url).status_code == 403
    assert [one["model"] for one in signed_in(member).get("/api/v1/limits?scope=team").json()["results"]] == [
        "chat-large"
    ]
    assert finance.delete(url).status_code == 204
    assert not Quota.objects.exists()
    for change, words in (
        ({"model": "nope"}, "There is no model nope"), ({"name": "nobody"}, "There is no team"),
        ({"scope": "organisation"}, "the limit of that model"), ({"metric": "concurrent"}, "cannot be limited by"),
        ({"limit": "much"}, "is not an amount"), ({"step_down": "chat-large"}, "choose a cheaper one"),
    ):  # fmt: skip
        refused = send(finance, "POST", "/api/v1/limits", body | change)
        assert refused.status_code == 400
        assert words in refused.content.decode(), change
    assert send(signed_in(member), "POST", "/api/v1/limits", body).status_code == 403


def test_errors_say_what_why_and_what_to_do(team: Team, member: User) -> None:
    client = signed_in(member)
    minted(member, team, name="ci")
    answers = {
        send(client, "POST", "/api/v1/keys", {"name": "ci"}): (409, "name_taken"),
        send(client, "POST", "/api/v1/keys", {"name": "a", "expires_at": in_days(400).isoformat()}): (
            400,
            "lifetime_too_long",
        ),
        send(client, "POST", "/api/v1/keys", {"name": "a", "team": "nope"}): (400, "invalid"),
        send(client, "POST", "/api/v1/keys", {"name": "a", "tema": "search"}): (400, "invalid"),
        send(client, "POST", "/api/v1/keys", {"name": "a", "models": ["gone"]}): (400, "invalid"),
        send(client, "GET", "/api/v1/keys/key_nope"): (404, "not_found"),
        send(client, "GET", "/api/v1/nothing"): (404, "not_found"),
        send(client, "PUT", "/api/v1/keys"): (405, "method_not_allowed"),
        client.post("/api/v1/keys", "{", content_type=JSON): (400, "parse_error"),
        client.post("/api/v1/keys", {"name": "a"}): (415, "unsupported_media_type"),
        Client().get("/api/v1/keys"): (401, "not_signed_in"),
    }
    for answer, (status, code) in answers.items():
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, code)
        assert all(error[part] for part in ("what", "why", "fix")), error
    assert Key.objects.count() == 1


def test_a_page_of_another_site_cannot_write(team: Team, member: User) -> None:
    client = signed_in(member, enforce_csrf_checks=True)
    assert send(client, "POST", "/api/v1/keys", {"name": "ci"}).status_code == 403
    assert not Key.objects.exists()


@pytest.mark.parametrize("call", ["GET ", "PATCH ", "DELETE ", "POST /revoke", "POST /rotate"])
def test_another_teams_keys_do_not_exist(team: Team, member: User, call: str) -> None:
    key, _ = minted(member, team)
    method, _, rest = call.partition(" ")
    for stranger in (person_as("lead", team=team_with()), member_of(team)):
        assert send(signed_in(stranger), method, f"/api/v1/keys/{key.pk}{rest}").status_code == 404
    assert Key.objects.get().status == "active"


def test_a_new_secret_asks_who_sits_there(team: Team, member: User) -> None:
    key, _ = minted(member, team)
    answer = send(signed_in(member), "POST", f"/api/v1/keys/{key.pk}/rotate")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "reauthenticate"
    assert f"/keys/{key.pk}/rotate" in answer.json()["error"]["fix"]


def test_lists_have_pages_of_a_bounded_size(team: Team, member: User, django_assert_max_num_queries) -> None:
    KeyFactory.create_batch(210, owner=member, team=team)
    KeyFactory()
    client = signed_in(member)
    with django_assert_max_num_queries(10):
        page = client.get("/api/v1/keys?limit=1000").json()
    assert page["count"] == 210
    assert len(page["results"]) == 200
    rest = client.get(page["next"]).json()
    assert len(rest["results"]) == 10
    assert not {row["id"] for row in page["results"]} & {row["id"] for row in rest["results"]}
    assert client.get("/api/v1/keys?offset=9999999999999999999999").json()["results"] == []


def test_an_exception_from_asking_to_the_decision(team: Team, member: User) -> None:
    model, lead = ServedModelFactory(slug="wanted"), signed_in(person_as("lead", team=team))
    until = in_days(9).isoformat()
    asked = send(
        signed_in(member),
        "POST",
        "/api/v1/requests",
        {"kind": "model", "model": "wanted", "reason": "A trial.", "until": until},
    )
    assert asked.status_code == 201, asked.json()
    url = f"/api/v1/requests/{asked.json()['id']}"
    assert send(signed_in(member), "POST", f"{url}/decide", {"decision": "approve", "version": 1}).status_code == 403
    edited = send(signed_in(member), "PATCH", url, {"version": 1, "reason": "Another trial.", "until": until})
    assert edited.json()["version"] == 2
    stale = send(lead, "POST", f"{url}/decide", {"decision": "approve", "version": 1})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale")
    assert [row["id"] for row in lead.get("/api/v1/requests?whose=inbox").json()["results"]] == [asked.json()["id"]]
    done = send(lead, "POST", f"{url}/decide", {"decision": "approve", "version": 2, "words": "Fine."})
    assert done.json()["decision"]["words"] == "Fine."
    assert ModelGrant.objects.get().model == model
    again = send(lead, "POST", f"{url}/decide", {"decision": "deny", "version": 2, "words": "No."})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "decided")


def test_a_budget_request_counts_in_decimal_dollars(team: Team, member: User) -> None:
    quota = QuotaFactory(scope_id=team.pk)
    body = {
        "kind": "budget",
        "quota": quota.pk,
        "amount": "12.50",
        "reason": "A trial.",
        "until": in_days(9).isoformat(),
    }
    asked = send(signed_in(member), "POST", "/api/v1/requests", body)
    assert asked.json()["amount"] == "12.50"
    lead = signed_in(person_as("lead", team=team))
    url = f"/api/v1/requests/{asked.json()['id']}/decide"
    done = send(lead, "POST", url, {"decision": "approve", "version": 1, "amount": "10"})
    assert done.json()["decision"]["amount"] == "10.00"
    assert KeyRequest.objects.get().status == "approved"


def test_models_say_what_one_may_do(team: Team, member: User) -> None:
    ServedModelFactory(slug="wanted")
    rows = {row["slug"]: row for row in signed_in(member).get("/api/v1/models").json()["results"]}
    assert rows["chat-small"]["access"]["state"] == "yours"
    assert rows["wanted"]["access"]["state"] == "request"
    assert "$0.15 in" in rows["wanted"]["price"]


def test_the_api_is_described_for_people_without_scripts(member: User) -> None:
    page = text(signed_in(member).get(reverse("api-docs")))
    assert "/api/v1/keys/{key_id}/rotate" in page
    assert "expires_at" in page


# the description holds: whatever it allows is answered as it says


def application_as(person: User) -> Callable[..., Any]:
    """The whole application, for somebody who is signed in and comes from one of our pages."""
    cookies = signed_in(person).cookies.output(header="", attrs=[], sep=";").strip()
    handler = ClientHandler(enforce_csrf_checks=False)  # leaves the test's transaction alone

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = handler(environ | {"HTTP_COOKIE": cookies})
        start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.headers.items()))
        return [b"".join(answer)]

    return wsgi


@pytest.fixture
def description(team: Team) -> Any:
    """What the API says of itself, to somebody who may do everything it offers and finds a key and a request."""
    person = person_as("platform_admin", team=team)
    minted(person, team)
    asked_for_model(member_of(team), team, ServedModelFactory(slug="wanted"))
    AliasFactory()
    for window in Quota.Window.values:
        QuotaFactory(scope_id=team.pk, window=window)
    schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", application_as(person))
    return schema.include(path_regex="^/api/v1/(keys|requests|models|limits|providers|aliases|applications)")


def test_whatever_the_description_allows_is_answered_as_it_says(description: Any) -> None:
    operations = [found.ok() for found in description.get_all_operations()]
    assert len(operations) == 40
    for operation in operations:
        answer_as_described(operation)


def answer_as_described(operation: Any) -> None:
    @given(operation.as_strategy())
    @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def send_any(case: Any) -> None:
        for name, table in TABLES.items():
            if len(case.path_parameters.get(name, "")) % 2:
                case.path_parameters[name] = table.objects.values_list("pk", flat=True).first() or "gone"
        case.call_and_validate(checks=CHECKS)

    send_any()
