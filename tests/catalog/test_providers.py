"""Providers and their credentials: kept apart from every eye, and readable by the gateway alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from catalog.actions.access import add_team_model, set_team_models
from catalog.actions.credentials import CredentialMissing, read_credential, remove_credential, set_credential
from catalog.actions.deployments import Place, set_deployments
from catalog.actions.models import change_model
from catalog.actions.prices import set_price
from catalog.actions.providers import change_provider, create_provider, remove_provider
from catalog.dialects import mistakes_of
from catalog.models import Credential, Provider
from portal.people.models import AuditEvent, Change
from portal.people.permissions import Role
from tests.factories.catalog import ModelFactory, ProviderFactory
from tests.factories.people import SYSTEM, TeamFactory, acting, person_as

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"


def rows_of_every_table() -> Iterator[str]:
    """Yield each row of the database as text, bytes as they are."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of our own tables
            for row in cursor.fetchall():
                yield " ".join(bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in row)


def test_a_secret_by_value_is_read_back_and_found_nowhere_in_the_database(caplog: pytest.LogCaptureFixture) -> None:
    provider = create_provider(actor=SYSTEM, slug="acme", base_url="https://api.example.com/v1")
    credential = set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    assert read_credential(provider) == SECRET
    assert credential.last4 == SECRET[-4:]
    assert not [row for row in rows_of_every_table() if SECRET in row]
    assert SECRET not in caplog.text
    assert SECRET not in repr(credential)


def test_the_audit_row_says_what_kind_of_credential_and_nothing_more() -> None:
    provider = ProviderFactory(slug="acme")
    set_credential(actor=SYSTEM, provider=provider, env="ACME_KEY")
    set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    event = AuditEvent.objects.filter(event="command:provider:set_credential").order_by("at").last()
    assert event is not None
    assert event.before == {"source": "env", "reference": "ACME_KEY"}
    assert event.after == {"source": "sealed", "reference": ""}
    assert SECRET not in json.dumps([event.before, event.after, event.target_label])


def test_of_a_short_secret_not_even_the_end_is_shown() -> None:
    assert set_credential(actor=SYSTEM, provider=ProviderFactory(), value="short-key-1").last4 == ""


def test_the_same_secret_again_writes_nothing() -> None:
    provider = ProviderFactory()
    set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    sealed, revisions = Credential.objects.get().sealed, Change.objects.count()
    set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    assert (bytes(Credential.objects.get().sealed or b""), Change.objects.count()) == (bytes(sealed or b""), revisions)


def test_a_sealed_value_does_not_open_in_another_row() -> None:
    one, other = ProviderFactory(), ProviderFactory()
    set_credential(actor=SYSTEM, provider=one, value=SECRET)
    set_credential(actor=SYSTEM, provider=other, value="sk-live-another-one")
    Credential.objects.filter(provider=other).update(sealed=Credential.objects.get(provider=one).sealed)
    with pytest.raises(CredentialMissing, match="enter it again") as refused:
        read_credential(Provider.objects.get(pk=other.pk))
    assert SECRET not in str(refused.value)


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = ProviderFactory()
    set_credential(actor=SYSTEM, provider=provider, env="ACME_KEY")
    with pytest.raises(CredentialMissing, match="ACME_KEY"):
        read_credential(provider)
    monkeypatch.setenv("ACME_KEY", f" {SECRET}\n")
    assert read_credential(provider) == SECRET


def test_a_file_is_read_when_it_is_needed(tmp_path: Path) -> None:
    provider, file = ProviderFactory(), tmp_path / "key"
    set_credential(actor=SYSTEM, provider=provider, file=str(file))
    with pytest.raises(CredentialMissing, match="cannot be read"):
        read_credential(provider)
    file.write_text(f"{SECRET}\n")
    assert read_credential(provider) == SECRET
    file.write_text("two\nlines")
    with pytest.raises(CredentialMissing, match="no usable secret"):
        read_credential(provider)


def test_a_provider_may_need_no_credential() -> None:
    provider = ProviderFactory()
    assert read_credential(provider) == ""
    set_credential(actor=SYSTEM, provider=provider, value=SECRET)
    remove_credential(actor=SYSTEM, provider=provider)
    assert read_credential(Provider.objects.get(pk=provider.pk)) == ""


@pytest.mark.parametrize(
    "given",
    [
        {}, {"value": SECRET, "env": "ACME_KEY"}, {"value": ""}, {"value": "two\nlines"}, {"value": "schlüssel-mit-umlaut"},
        {"env": "NOT A NAME"}, {"env": ""}, {"file": "relative/path"}, {"value": "x" * 9000},
    ],
)  # fmt: skip
def test_a_credential_that_cannot_be_used_is_refused_without_repeating_it(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        set_credential(actor=SYSTEM, provider=ProviderFactory(), **given)
    assert not [value for value in given.values() if len(value) > 8 and value in str(refused.value)]
    assert not Credential.objects.exists()


def test_every_mistake_of_a_provider_is_told_by_field() -> None:
    with pytest.raises(ValidationError) as refused:
        create_provider(actor=SYSTEM, slug="no slug", base_url="http://10.0.0.1", dialect="klingon")
    assert set(refused.value.message_dict) == {"slug", "base_url", "dialect"}
    assert not Provider.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_change_is_audited_before_and_after_and_reaches_the_feed() -> None:
    provider = ProviderFactory(region="eu")
    change_provider(actor=SYSTEM, provider=provider, region="us", name=provider.name)
    event = AuditEvent.objects.get(event="command:provider:change")
    assert (event.before, event.after) == ({"region": "eu"}, {"region": "us"})
    assert Change.objects.filter(kind="provider", entity_id=provider.pk, revision=event.revision).count() == 1
    change_provider(actor=SYSTEM, provider=provider, region="us")
    assert AuditEvent.objects.count() == 1


def test_a_private_provider_stays_internal() -> None:
    provider = ProviderFactory(base_url="http://127.0.0.1:9100/v1", internal=True)
    with pytest.raises(ValidationError):
        change_provider(actor=SYSTEM, provider=provider, internal=False)
    assert Provider.objects.get().internal


def test_a_provider_that_serves_a_model_is_not_deleted() -> None:
    provider, model = ProviderFactory(), ModelFactory(slug="chat-small")
    set_deployments(actor=SYSTEM, model=model, deployments=[Place(provider, "small", 1, True)])
    with pytest.raises(ValidationError, match="chat-small"):
        remove_provider(actor=SYSTEM, provider=provider)
    set_deployments(actor=SYSTEM, model=model, deployments=[])
    remove_provider(actor=SYSTEM, provider=provider)
    assert not Provider.objects.exists()


def test_actions_ask_for_the_right_themselves() -> None:
    actor, provider, model = acting(person_as(Role.LEAD)), ProviderFactory(), ModelFactory()
    attempts: list[Callable[[], object]] = [
        lambda: create_provider(actor=actor, slug="own", base_url="https://api.example.com/v1"),
        lambda: change_provider(actor=actor, provider=provider, enabled=False),
        lambda: set_credential(actor=actor, provider=provider, value=SECRET),
        lambda: remove_provider(actor=actor, provider=provider),
        lambda: change_model(actor=actor, model=model, tier="sandbox"),
        lambda: set_deployments(actor=actor, model=model, deployments=[Place(provider, "x", 1, True)]),
        lambda: set_price(actor=actor, model=model, effective_from=None, input=1, output=1),
        lambda: set_team_models(actor=actor, team=TeamFactory(), models=[model]),
        lambda: add_team_model(actor=actor, team=TeamFactory(), model=model),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDenied):
            attempt()
    assert not AuditEvent.objects.exists()


def test_what_is_the_servers_own_is_not_read_even_where_a_row_names_it(
    tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = ProviderFactory()
    monkeypatch.setenv("ATRIUM_KEK", SECRET)
    Credential.objects.create(provider=provider, source="env", reference="ATRIUM_KEK")
    with pytest.raises(CredentialMissing):
        read_credential(provider)
    (tmp_path / "secrets.json").write_text(SECRET)
    (tmp_path / "link").symlink_to(tmp_path / "secrets.json")
    Credential.objects.update(source="file", reference=str(tmp_path / "link"))
    assert read_credential(provider) == SECRET
    settings.DATA_DIR = tmp_path
    with pytest.raises(CredentialMissing):
        read_credential(provider)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"profile": "vllm", "keeps": "never"}, set()),
        ({"keeps": ""}, set()),
        ({"keeps": "nver"}, {"options.keeps"}),
        ({"kept": "never"}, {"options.kept"}),
    ],
)
def test_options_are_known_and_mean_something(options: dict[str, str], wrong: set[str]) -> None:
    assert mistakes_of("openai", options).keys() == wrong
