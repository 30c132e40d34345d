"""The catalogue over REST: providers, where models are served, routes, prices and names, by the actions of the pages."""

from typing import Any

import pytest
from django.test import Client

from catalog.models import Alias, Credential, Deployment, Model, Provider, Route
from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.factories.catalog import DeploymentFactory, ModelFactory, ProviderFactory, ServedModelFactory
from tests.factories.people import person_as
from tests.portal.keys.pages import signed_in
from tests.portal.keys.test_api import send

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"


@pytest.fixture
def admin() -> Client:
    return signed_in(person_as(Role.PLATFORM_ADMIN))


def refused(answer: Any, field: str, words: str, status: int = 400) -> None:
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert words in " ".join(error["fields"].get(field, [])), error


def test_a_provider_from_adding_to_removal(admin: Client) -> None:
    body = {"slug": "acme", "name": "Acme", "base_url": "http://127.0.0.1:9/v1", "internal": True}
    made = send(admin, "POST", "/api/v1/providers", body)
    assert made.status_code == 201, made.json()
    url = f"/api/v1/providers/{made.json()['id']}"
    assert (made.json()["dialect"], made.json()["credential"]) == ("openai", None)
    assert send(admin, "PATCH", url, {"region": "eu", "data_classes": ["public"]}).json()["region"] == "eu"
    refused(send(admin, "POST", "/api/v1/providers", body), "slug", "already")
    refused(send(admin, "PATCH", url, {"dialect": "klingon"}), "dialect", "")
    refused(send(admin, "PATCH", url, {"slug": "other"}), "slug", "no such field")
    model = ModelFactory()
    DeploymentFactory(model=model, provider=Provider.objects.get(slug="acme"))
    assert model.slug in send(admin, "DELETE", url).json()["error"]["why"]
    Deployment.objects.all().delete()
    assert admin.delete(url).status_code == 204
    assert [one["slug"] for one in admin.get("/api/v1/providers").json()["results"]] == []
    assert AuditEvent.objects.filter(event="api:provider:create").exists()


def test_a_secret_goes_in_and_never_comes_out(admin: Client) -> None:
    provider = ProviderFactory(base_url="http://127.0.0.1:9/v1")
    url = f"/api/v1/providers/{provider.pk}/credential"
    refused(send(admin, "PUT", url, {"value": SECRET}), "credential", "Nothing was changed")  # nobody answers there
    refused(send(admin, "PUT", url, {"env": "NOT_SET_ANYWHERE"}), "credential", "is not set")
    assert not Credential.objects.exists()
    stored = send(admin, "PUT", url, {"value": SECRET, "anyway": True})
    assert (stored.status_code, stored.json()["last4"]) == (200, SECRET[-4:])
    assert send(admin, "PUT", url, {"env": "OPENAI_API_KEY", "anyway": True}).json()["reference"] == "OPENAI_API_KEY"
    assert send(admin, "POST", f"{url}/former").json()["source"] == "sealed"
    for answer in (stored, admin.get(f"/api/v1/providers/{provider.pk}"), admin.get("/api/v1/providers")):
        assert SECRET not in answer.content.decode()
    assert admin.get(url).status_code == 405
    assert admin.delete(f"{url}/former").status_code == 204
    assert admin.delete(url).status_code == 204
    assert not Credential.objects.exists()


def test_where_a_model_is_served_and_where_its_calls_go(admin: Client) -> None:
    model, _ = ModelFactory(slug="chat"), ProviderFactory(slug="one")
    ProviderFactory(slug="two")
    url = f"/api/v1/models/{model.pk}/deployments"
    places = [{"provider": "two", "model": "up", "weight": 3}, {"provider": "one", "model": "up", "idle_timeout_s": 9}]
    found = send(admin, "PUT", url, {"deployments": places}).json()["deployments"]
    assert [(one["provider"], one["weight"], one["idle_timeout_s"]) for one in found] == [
        ("two", 3, None),
        ("one", 1, 9),
    ]
    assert admin.get(url).json()["deployments"] == found
    refused(
        send(admin, "PUT", url, {"deployments": [{"provider": "x", "model": "up"}]}), "deployments", "no provider x"
    )
    route = {"strategy": "ordered", "canary": {"deployment": "two/up", "percent": 5.0}}
    assert send(admin, "PUT", f"/api/v1/models/{model.pk}/route", {"route": route}).json() == {"route": route}
    wrong = send(
        admin, "PUT", f"/api/v1/models/{model.pk}/route", {"route": {"canary": {"deployment": "z", "percent": 1}}}
    )
    refused(wrong, "canary.deployment", "no deployment")
    assert Route.objects.get().body == route


def test_prices_are_added_and_names_point_somewhere(admin: Client) -> None:
    model: Model = ServedModelFactory(slug="chat")
    url = f"/api/v1/models/{model.pk}/prices"
    made = send(admin, "POST", url, {"input": "0.15", "output": "0.6", "deployment": model.deployments.get().pk})
    assert made.status_code == 201, made.json()
    assert (made.json()["input"], made.json()["cached_input"]) == ("0.15", None)
    assert [one["output"] for one in admin.get(url).json()["results"]] == ["0.60", "0.60"]
    refused(send(admin, "POST", url, {"input": "much", "output": "1"}), "input", "")
    more = {
        "units": {"images": "0.04", "minutes": "0.006"},
        "long": {"above": 200_000, "input": "2.50", "output": "15.00"},
    }
    made = send(admin, "POST", url, {"input": "1.25", "output": "10"} | more).json()
    assert {name: made[name] for name in more} == more
    refused(send(admin, "POST", url, {"units": {"hours": "1"}}), "units", "no unit hours")
    refused(send(admin, "POST", url, {"input": "1", "output": "1", "long": {"above": 5}}), "long.input", "required")
    refused(send(admin, "POST", url, {"input": "1", "output": "1", "deployment": "dep_x"}), "deployment", "no such")
    refused(
        send(admin, "POST", url, {"input": "1", "effective_from": "2020-01-01T00:00:00Z"}),
        "effective_from",
        "now or later",
    )
    alias = send(admin, "POST", "/api/v1/aliases", {"slug": "claude-chat", "model": "chat"})
    assert (alias.status_code, alias.json()["model"]) == (201, "chat")
    ServedModelFactory(slug="other")
    moved = send(admin, "PATCH", f"/api/v1/aliases/{alias.json()['id']}", {"model": "other"})
    assert moved.json()["model"] == "other"
    refused(send(admin, "POST", "/api/v1/aliases", {"slug": "claude-chat", "model": "chat"}), "slug", "point elsewhere")
    assert admin.delete(f"/api/v1/aliases/{alias.json()['id']}").status_code == 204
    assert not Alias.objects.exists()


def test_only_platform_admins() -> None:
    model, provider = ServedModelFactory(), ProviderFactory()
    for role in (Role.EMPLOYEE, Role.LEAD, Role.FINANCE, Role.AUDITOR):
        client = signed_in(person_as(role))
        for method, path in (
            ("GET", "providers"), ("GET", f"providers/{provider.pk}"), ("PUT", f"providers/{provider.pk}/credential"),
            ("GET", f"models/{model.pk}/route"), ("POST", f"models/{model.pk}/prices"), ("POST", "aliases"),
        ):  # fmt: skip
            assert send(client, method, f"/api/v1/{path}").status_code == 403
