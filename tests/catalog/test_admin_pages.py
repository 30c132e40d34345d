"""What platform admins do in the browser: it is live at the gateway at once, and no secret is ever shown."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.actions.credentials import read_credential
from catalog.models import Credential, Model, Price, Provider, TeamModel
from gateway.control.compile import compile_all, recompile
from gateway.snapshot import Snapshot
from portal.config.export import export
from portal.people.models import AuditEvent, Change
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.factories.catalog import ModelFactory, ProviderFactory, ServedModelFactory
from tests.factories.people import TeamFactory, person_as

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"
PROVIDER = {
    "slug": "acme", "name": "Acme", "dialect": "openai", "base_url": "https://api.example.com/v1/", "region": "eu", "enabled": "on",
    "source": "sealed", "value": SECRET,
}  # fmt: skip
MODEL = {
    "slug": "acme/chat", "display_name": "Acme chat", "capabilities": ["chat"], "context_tokens": "8000", "max_output_tokens": "500",
    "tier": "sandbox", "stage": "approved", "at-TOTAL_FORMS": "1", "at-INITIAL_FORMS": "0",
}  # fmt: skip


@pytest.fixture
def client() -> Client:
    return signed_in(person_as(Role.PLATFORM_ADMIN))


def followed(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as a gateway has it after reading the feed: only what it names is compiled again."""
    rows = Change.objects.filter(revision__gt=snapshot.version).order_by("revision")
    named = list(rows.values_list("kind", "entity_id"))
    last = rows.values_list("revision", flat=True).last()
    return recompile(snapshot, last or snapshot.version, named)


def test_a_provider_a_model_and_a_price_are_live_at_the_gateway(client: Client) -> None:
    snapshot, team = compile_all(), TeamFactory(slug="search")
    client.post(reverse("catalog-provider-add"), PROVIDER)
    provider = Provider.objects.get()
    assert (provider.base_url, read_credential(provider)) == ("https://api.example.com/v1", SECRET)
    places = {"at-0-provider": provider.pk, "at-0-upstream_model": "chat-1", "at-0-weight": "2", "at-0-enabled": "on"}
    added = client.post(reverse("catalog-admin-model-add"), MODEL | places)
    model = Model.objects.get()
    assert added["Location"] == reverse("catalog-price-add", args=[model.pk])
    client.post(added["Location"], {"input": "0.15", "output": "0.60", "cached_input": "0.075"})
    client.post(reverse("catalog-admin-model-team", args=[model.pk]), {"team": "search"})
    policy = followed(snapshot).models_by_slug["acme/chat"]
    (place,) = policy.deployments
    assert (place.base_url, place.upstream_model, place.weight) == ("https://api.example.com/v1", "chat-1", 2)
    assert place.credential == SECRET
    assert policy.prices[0].cached_input == 75_000_000
    assert model.pk in followed(snapshot).teams[team.pk].model_ids
    client.post(reverse("catalog-admin-model-team", args=[model.pk]), {"team": "search", "remove": "1"})
    assert not TeamModel.objects.exists()
    client.post(reverse("catalog-admin-model-retire", args=[model.pk]))
    assert followed(snapshot).models_by_slug["acme/chat"].stage == "retired"


def test_a_stored_secret_is_found_nowhere(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.post(reverse("catalog-provider-add"), PROVIDER)
    provider = Provider.objects.get()
    edit = reverse("catalog-provider-edit", args=[provider.pk])
    auditor = signed_in(person_as(Role.AUDITOR))
    pages = [
        page(client, edit),
        page(client, reverse("catalog-provider-list")),
        page(auditor, "/people/audit"),
        export(),
    ]
    wrong = client.post(edit, PROVIDER | {"name": "", "value": SECRET})
    assert wrong.status_code == 422
    pages.append(wrong.content.decode())
    assert not [text for text in pages if SECRET in text]
    assert "ends in " + SECRET[-4:] in pages[0]
    assert SECRET not in caplog.text
    assert not [
        event for event in AuditEvent.objects.all() if SECRET in f"{event.before}{event.after}{event.target_label}"
    ]


def test_editing_a_provider_keeps_its_secret_unless_told(client: Client) -> None:
    client.post(reverse("catalog-provider-add"), PROVIDER)
    provider = Provider.objects.get()
    edit = reverse("catalog-provider-edit", args=[provider.pk])
    client.post(edit, PROVIDER | {"region": "us", "source": "keep", "value": ""})
    assert read_credential(Provider.objects.get()) == SECRET
    assert Provider.objects.get().region == "us"
    client.post(edit, PROVIDER | {"source": "env", "reference": "ACME_KEY", "value": ""})
    assert Credential.objects.get().reference == "ACME_KEY"
    client.post(edit, PROVIDER | {"source": "none", "value": ""})
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"base_url": "http://10.0.0.1/v1"}, "mark the provider as internal"), ({"slug": "no slug"}, "slug"),
        ({"source": "env", "reference": "NOT A NAME"}, "letters, digits and _ only"), ({"value": ""}, "The secret is empty"),
        ({"source": "file", "reference": "relative"}, "whole path"),
        ({"source": "env", "reference": "ATRIUM_KEK"}, "Atrium&#x27;s own"), ({"source": "env", "reference": "SECRET_KEY"}, "own"),
        ({"source": "env", "reference": "DATABASE_URL"}, "own"), ({"source": "file", "reference": "/proc/self/environ"}, "own"),
        ({"source": "file", "reference": f"{settings.DATA_DIR}/secrets.json"}, "server&#x27;s own"),
        ({"source": "file", "reference": f"/etc/..{settings.DATA_DIR}/secrets.json"}, "server&#x27;s own"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_the_form_and_nothing_is_written(
    fields: dict[str, str], words: str, client: Client
) -> None:
    answer = client.post(reverse("catalog-provider-add"), PROVIDER | fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Provider.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_secret_is_not_carried_to_another_host(client: Client) -> None:
    client.post(reverse("catalog-provider-add"), PROVIDER)
    provider = Provider.objects.get()
    edit, elsewhere = reverse("catalog-provider-edit", args=[provider.pk]), {"base_url": "https://evil.example.net/v1"}
    refused = client.post(edit, PROVIDER | elsewhere | {"source": "keep", "value": ""})
    assert refused.status_code == 422
    assert "Enter the credential again" in refused.content.decode()
    assert Provider.objects.get().base_url == "https://api.example.com/v1"
    path = client.post(edit, PROVIDER | {"base_url": "https://api.example.com/v2", "source": "keep", "value": ""})
    assert path.status_code == 302
    assert client.post(edit, PROVIDER | elsewhere).status_code == 302  # with the secret typed in
    assert (Provider.objects.get().base_url, read_credential(Provider.objects.get())) == (elsewhere["base_url"], SECRET)


def test_a_slug_that_is_taken_is_told(client: Client) -> None:
    ProviderFactory(slug="acme")
    assert "is taken. Choose another" in client.post(reverse("catalog-provider-add"), PROVIDER).content.decode()
    ModelFactory(slug="acme/chat")
    assert "is taken. Choose another" in client.post(reverse("catalog-admin-model-add"), MODEL).content.decode()


def test_a_retirement_day_of_the_past_may_stay_but_not_begin(client: Client) -> None:
    today = timezone.now().date()
    model = ModelFactory(slug="acme/chat", retires_on=today - timedelta(days=3))
    edit = reverse("catalog-admin-model-edit", args=[model.pk])
    wanted = {name: value for name, value in MODEL.items() if name != "slug"}
    assert client.post(edit, wanted | {"retires_on": f"{today - timedelta(days=3)}"}).status_code == 302
    answer = client.post(edit, wanted | {"retires_on": f"{today - timedelta(days=2)}"})
    assert answer.status_code == 422
    assert "That day is past" in answer.content.decode()


def test_deployments_are_changed_and_taken_away_in_the_form(client: Client) -> None:
    model = ServedModelFactory()
    edit = reverse("catalog-admin-model-edit", args=[model.pk])
    place = model.deployments.get()
    rows = {
        "at-TOTAL_FORMS": "2",
        "at-INITIAL_FORMS": "1",
        "at-0-provider": place.provider_id,
        "at-0-upstream_model": "upstream-model",
    }
    client.post(
        edit, MODEL | rows | {"at-0-weight": "7", "at-0-enabled": "on", "at-1-weight": "1", "at-1-enabled": "on"}
    )
    assert (model.deployments.get().pk, model.deployments.get().weight) == (place.pk, 7)
    half = client.post(edit, MODEL | rows | {"at-0-upstream_model": ""})
    assert half.status_code == 422
    assert "or neither to take the row away" in half.content.decode()
    client.post(edit, MODEL | rows | {"at-0-provider": "", "at-0-upstream_model": ""})
    assert not model.deployments.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "All rates are 0"), ({"input": "0.1x", "output": "1"}, "is not an amount"), ({"input": "-1", "output": "1"}, "is not between"),
        ({"free": "on", "input": "1"}, "A free model has no rates"),
        ({"input": "1", "output": "1", "effective_from": "2020-01-01T00:00"}, "now or later"),
    ],
)  # fmt: skip
def test_a_price_that_cannot_be_is_refused(fields: dict[str, str], words: str, client: Client) -> None:
    answer = client.post(reverse("catalog-price-add", args=[ModelFactory().pk]), fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Price.objects.exists()


def test_prices_show_their_history(client: Client) -> None:
    model = ModelFactory()
    add = reverse("catalog-price-add", args=[model.pk])
    client.post(add, {"input": "1", "output": "2"})
    client.post(add, {"input": "3", "output": "4", "source": "our contract"})
    client.post(add, {"input": "5", "output": "6", "effective_from": "2099-01-01T00:00"})
    text = page(client, reverse("catalog-price-list", args=[model.pk]))
    assert text.index("Comes later") < text.index("In force") < text.index("Past")
    assert "our contract" in text


def test_the_connection_test_answers_in_words(client: Client) -> None:
    provider = ProviderFactory(base_url="http://127.0.0.1:9/v1")
    answer = client.post(reverse("catalog-provider-try", args=[provider.pk]), follow=True)
    assert "cannot be reached" in answer.content.decode()


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.LEAD, Role.FINANCE, Role.AUDITOR])
def test_nobody_else_manages_the_catalogue(role: Role) -> None:
    other, model = signed_in(person_as(role)), ServedModelFactory()
    paths: list[tuple[str, list[Any]]] = [
        ("catalog-provider-list", []), ("catalog-provider-add", []), ("catalog-admin-model-list", []), ("catalog-admin-model-add", []),
        ("catalog-admin-model-edit", [model.pk]), ("catalog-admin-model-retire", [model.pk]), ("catalog-price-add", [model.pk]),
    ]  # fmt: skip
    for name, args in paths:
        for answer in (other.get(reverse(name, args=args)), other.post(reverse(name, args=args), PROVIDER)):
            assert answer.status_code == 403
    assert Model.objects.get().stage == "approved"


def test_a_deployment_says_its_region_data_and_time_limits(client: Client) -> None:
    model = ServedModelFactory()
    place = model.deployments.get()
    rows = {
        "at-TOTAL_FORMS": "1", "at-INITIAL_FORMS": "0", "at-0-provider": place.provider_id, "at-0-upstream_model": "upstream-model",
        "at-0-weight": "1", "at-0-enabled": "on",
    }  # fmt: skip
    said = {
        "at-0-region": "us",
        "at-0-data_classes": ["public"],
        "at-0-connect_timeout_s": "2",
        "at-0-total_timeout_s": "30",
    }
    edit = reverse("catalog-admin-model-edit", args=[model.pk])
    client.post(edit, MODEL | rows | said)
    (policy,) = compile_all().models[model.pk].deployments
    assert (policy.region, policy.data_classes) == ("us", frozenset({"public"}))
    assert (policy.connect_timeout_s, policy.total_timeout_s, policy.idle_timeout_s) == (2.0, 30.0, 60.0)
    refused = client.post(edit, MODEL | rows | {"at-0-idle_timeout_s": "0"})
    assert refused.status_code == 422
    client.post(edit, MODEL | rows)
    (policy,) = compile_all().models[model.pk].deployments
    assert (policy.region, policy.data_classes, policy.connect_timeout_s) == ("eu", None, 5.0)


def test_a_provider_allows_no_more_data_than_it_says(client: Client) -> None:
    model = ServedModelFactory()
    place = model.deployments.get()
    Provider.objects.update(data_classes=["public", "internal"])
    model.deployments.update(data_classes=["confidential"])
    assert compile_all().models[model.pk].deployments[0].data_classes == frozenset({"public", "internal"})
    Provider.objects.filter(pk=place.provider_id).update(data_classes=[])
    assert compile_all().models[model.pk].deployments[0].data_classes == frozenset({"confidential"})


def test_one_deployment_may_cost_something_else(client: Client) -> None:
    model = ServedModelFactory()
    place = model.deployments.get()
    add = reverse("catalog-price-add", args=[model.pk])
    client.post(add, {"input": "9", "output": "9", "deployment": place.pk})
    policy = compile_all().models[model.pk]
    assert [price.input for price in policy.prices] == [150_000_000]
    assert [price.input for price in policy.deployments[0].prices] == [9_000_000_000]
    listed = page(client, reverse("catalog-price-list", args=[model.pk]))
    assert listed.count("In force") == 2
    assert f"upstream-model at {place.provider.name}" in listed
    other = ServedModelFactory().deployments.get()
    assert client.post(add, {"input": "9", "output": "9", "deployment": other.pk}).status_code == 422


def test_the_gallery_fills_the_form(client: Client) -> None:
    gallery = page(client, reverse("catalog-provider-add"))
    assert gallery.count("at-stat-link") >= 25
    form = page(client, reverse("catalog-provider-add") + "?known=mistral")
    assert 'value="https://api.mistral.ai/v1"' in form
    assert "MISTRAL_API_KEY" in form
    assert page(client, reverse("catalog-provider-add") + "?known=\0nonsense")


def test_a_wire_format_that_is_not_spoken_is_refused(client: Client) -> None:
    answer = client.post(reverse("catalog-provider-add"), PROVIDER | {"dialect": "klingon"})
    assert answer.status_code == 422
    assert "Select a valid choice" in answer.content.decode()
    assert not Provider.objects.exists()
