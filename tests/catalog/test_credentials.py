"""Exchanging a provider's credential: tried first, undone for a day, forgotten for good; JSON secrets; who did it."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.actions.credentials import (
    confirm_credential,
    forget_former_credentials,
    read_credential,
    remove_credential,
    set_credential,
    undo_credential,
)
from catalog.actions.providers import change_provider
from catalog.models import Credential, FormerCredential, Provider
from portal.people.models import AuditEvent, Change
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.catalog.test_probe import Engine, engine  # noqa: F401 - a fixture
from tests.factories.catalog import ProviderFactory
from tests.factories.people import SYSTEM, acting, person_as

pytestmark = pytest.mark.django_db
OLD, NEW = "sk-live-the-old-one-Zq7m", "sk-live-the-new-one-T4vX"


@pytest.fixture
def provider() -> Provider:
    provider: Provider = ProviderFactory()
    set_credential(actor=SYSTEM, provider=provider, value=OLD)
    return provider


def secret() -> str:
    return read_credential(Provider.objects.get())


def test_an_exchange_is_undone_and_gateways_hear_of_both(provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    assert secret() == NEW
    before = Change.objects.filter(kind="provider").count()
    undo_credential(actor=SYSTEM, provider=provider)
    assert secret() == OLD
    assert Credential.objects.get().last4 == OLD[-4:]
    assert Change.objects.filter(kind="provider").count() == before + 1
    assert AuditEvent.objects.filter(event="command:provider:undo_credential").count() == 1
    with pytest.raises(ValidationError, match="no longer kept"):
        undo_credential(actor=SYSTEM, provider=provider)


def test_a_reference_comes_back_too(provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, env="ACME_KEY")
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    undo_credential(actor=SYSTEM, provider=provider)
    assert (Credential.objects.get().source, Credential.objects.get().reference) == ("env", "ACME_KEY")


def test_after_a_day_the_former_secret_is_gone(provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    assert forget_former_credentials() == 0
    FormerCredential.objects.update(until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ValidationError):
        undo_credential(actor=SYSTEM, provider=provider)
    assert forget_former_credentials() == 1
    assert secret() == NEW


def test_confirming_removing_and_moving_forget_the_former_secret(provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    confirm_credential(actor=SYSTEM, provider=provider)
    assert not FormerCredential.objects.exists()
    set_credential(actor=SYSTEM, provider=provider, value=OLD)
    remove_credential(actor=SYSTEM, provider=provider)
    assert not FormerCredential.objects.exists()
    set_credential(actor=SYSTEM, provider=provider, value=OLD)
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    change_provider(actor=SYSTEM, provider=provider, base_url="http://127.0.0.1:9999/v1", credential_follows=True)
    assert not FormerCredential.objects.exists()  # it was another host's


def test_nothing_brings_a_secret_back_to_another_host(provider: Provider) -> None:
    moved = change_provider(
        actor=SYSTEM, provider=provider, base_url="https://other.example.com/v1", credential_follows=True
    )
    set_credential(actor=SYSTEM, provider=moved, value=NEW)
    with pytest.raises(ValidationError, match="no longer kept"):
        undo_credential(actor=SYSTEM, provider=moved)
    assert secret() == NEW


APP = json.dumps({"tenant_id": "t", "client_id": "c", "client_secret": "entra-secret-0123456789"})
AZURE = {"dialect": "azure", "auth": "entra", "internal": False, "base_url": "https://acme.openai.azure.com"}


@pytest.mark.parametrize(
    ("standing", "change", "field"),
    [
        ({}, {"options": {"authority": "https://evil.example"}}, "options.authority"),
        ({}, {"internal": True, "options": {"authority": "https://evil.example"}}, "options.authority"),
        ({}, {"internal": True}, "internal"),
        ({"auth": "api-key", "options": {"authority": "https://evil.example"}}, {"auth": "entra"}, "options.authority"),
        ({"auth": "", "dialect": "openai"}, {"base_url": "http://acme.openai.azure.com"}, "base_url"),
        ({"auth": "gcp"}, {"internal": True}, "internal"),
    ],
)
def test_a_secret_that_is_traded_goes_to_no_other_login(
    standing: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    provider: Provider = ProviderFactory(**{**AZURE, **standing})
    set_credential(actor=SYSTEM, provider=provider, value=APP)
    set_credential(actor=SYSTEM, provider=provider, value=APP.replace("0123", "4567"))
    if field == "base_url":
        change = {**change, "internal": True}
    with pytest.raises(ValidationError, match="another host") as refused:
        change_provider(actor=SYSTEM, provider=provider, **change)
    assert list(refused.value.error_dict) == [field]
    change_provider(actor=SYSTEM, provider=provider, credential_follows=True, **change)
    assert secret() == ""
    assert not FormerCredential.objects.exists()


@pytest.mark.parametrize(
    ("standing", "change"),
    [
        ({}, {"name": "Renamed", "region": "us"}),
        ({}, {"options": {"authority": "https://login.microsoftonline.com/", "api_version": "2024-10-21"}}),
        ({"internal": True}, {"internal": False}),
        ({"auth": "api-key"}, {"internal": True}),
        ({"auth": "api-key"}, {"auth": "entra"}),
    ],
)
def test_a_secret_stays_where_its_host_does(standing: dict[str, Any], change: dict[str, Any]) -> None:
    provider: Provider = ProviderFactory(**{**AZURE, **standing})
    set_credential(actor=SYSTEM, provider=provider, value=APP)
    change_provider(actor=SYSTEM, provider=provider, **change)
    assert secret() == APP.replace(" ", "")


def test_the_page_moves_a_provider_and_keeps_nothing_of_the_old_host(client: Client, provider: Provider) -> None:
    fields = {
        "name": provider.name, "base_url": "https://other.example.com/v1", "dialect": "openai",
        "source": "sealed", "value": NEW, "enabled": "on",
    }  # fmt: skip
    answer = client.post(reverse("catalog-provider-edit", args=[provider.pk]), fields)
    assert answer.status_code == 302
    assert (Provider.objects.get().base_url, secret()) == ("https://other.example.com/v1", NEW)
    assert not FormerCredential.objects.exists()


def test_a_secret_of_several_lines_is_kept_on_one(provider: Provider) -> None:
    key = {"type": "service_account", "private_key": "-----BEGIN-----\nabc\n-----END-----\n"}
    set_credential(actor=SYSTEM, provider=provider, value=json.dumps(key, indent=2))
    assert json.loads(secret()) == key
    assert "\n" not in secret()
    assert Credential.objects.get().last4 == ""


def test_who_set_it_is_kept(provider: Provider) -> None:
    admin = person_as(Role.PLATFORM_ADMIN)
    set_credential(actor=acting(admin), provider=provider, value=NEW)
    assert Credential.objects.get().updated_by == admin.label


def test_only_platform_admins(provider: Provider) -> None:
    set_credential(actor=SYSTEM, provider=provider, value=NEW)
    for act in (undo_credential, confirm_credential):
        with pytest.raises(PermissionDenied):
            act(actor=acting(person_as(Role.LEAD)), provider=provider)
    assert secret() == NEW


# the page


@pytest.fixture
def client() -> Client:
    return signed_in(person_as(Role.PLATFORM_ADMIN))


def test_only_a_secret_that_works_is_switched_to(
    client: Client,
    provider: Provider,
    engine: Engine,  # noqa: F811 - the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    Provider.objects.update(base_url=engine.address)
    exchange = reverse("catalog-credential-exchange", args=[provider.pk])
    engine.status = 401
    refused = client.post(exchange, {"source": "sealed", "value": NEW, "try": "1"})
    assert refused.status_code == 422
    assert "nothing was switched" in refused.content.decode()
    assert NEW not in refused.content.decode()
    assert secret() == OLD
    engine.status = 200
    assert client.post(exchange, {"source": "sealed", "value": NEW, "try": "1"}).status_code == 302
    assert secret() == NEW
    assert engine.seen[-1] == ("/v1/models", f"Bearer {NEW}")
    text = page(client, reverse("catalog-provider-edit", args=[provider.pk]))
    assert "Go back to it" in text
    assert f"ends in {OLD[-4:]}" in text
    client.post(reverse("catalog-credential-undo", args=[provider.pk]))
    assert secret() == OLD
    assert NEW not in caplog.text
    assert OLD not in caplog.text


def test_an_admin_may_insist(client: Client, provider: Provider) -> None:
    Provider.objects.update(base_url="http://127.0.0.1:9/v1")
    exchange = reverse("catalog-credential-exchange", args=[provider.pk])
    client.post(exchange, {"source": "sealed", "value": NEW, "anyway": "1"})
    assert secret() == NEW
    client.post(reverse("catalog-credential-confirm", args=[provider.pk]))
    assert not FormerCredential.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"source": "none"}, {"source": "keep"}, {"source": "sealed", "value": " "}, {"source": "env", "reference": "NOT A NAME"},
        {"source": "env", "reference": "NOT_SET_ANYWHERE"}, {"source": "file", "reference": "/proc/self/environ"},
        {"source": "sealed", "value": "{\"a\": \"ü\u2028\"", "try": "1"},
    ],
)  # fmt: skip
def test_rubbish_gets_words(client: Client, provider: Provider, fields: dict[str, str]) -> None:
    answer = client.post(reverse("catalog-credential-exchange", args=[provider.pk]), fields)
    assert answer.status_code == 422
    assert "at-field-error" in answer.content.decode()
    assert secret() == OLD
