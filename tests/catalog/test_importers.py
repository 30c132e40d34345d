"""The packaged facts fit the catalogue, and prices are taken over to the last nano-USD."""

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices.data
import pytest
from django.core.management import call_command
from genai_prices.types import TieredPrices

from catalog.actions.credentials import read_credential
from catalog.actions.prices import set_price
from catalog.connection import connected_model_ids
from catalog.importers.environment import connect_from_environment
from catalog.importers.packaged import PackagedModel, models, price_of, providers
from catalog.importers.proposals import proposals, take_over
from catalog.models import Credential, Deployment, Model, Price, Provider
from portal.people.models import AuditEvent
from tests.factories.people import SYSTEM

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def taken_over(db: None) -> list[Model]:
    take_over(proposals(), actor=SYSTEM)
    return list(Model.objects.all())


@pytest.mark.parametrize("model", models(), ids=lambda model: model.slug)
def test_every_packaged_model_has_a_price_and_a_provider(model: PackagedModel) -> None:
    price = price_of(model, NOW)
    assert model.at in providers()
    assert price is not None
    by_units = price.units.keys() & {"seconds", "characters"}
    assert price.input > 0 or by_units
    assert ("embeddings" in model.can) or price.output > 0 or by_units


def test_the_well_known_vendors_are_there() -> None:
    assert {"OpenAI", "Anthropic", "Google", "Mistral"} <= {model.vendor for model in models()}
    assert len({model.slug for model in models()}) == len(models()) >= 25


def test_a_price_is_the_packages_own_to_the_last_digit() -> None:
    (listed,) = (one for one in genai_prices.data.providers if one.id == "openai")
    for model in (one for one in models() if one.at == "openai"):
        theirs = listed.find_model(model.priced)
        assert theirs is not None
        amount = theirs.get_prices(NOW).input_mtok or 0  # type: ignore[attr-defined]  # made at run time
        ours = price_of(model, NOW)
        assert ours is not None
        assert Decimal(ours.input) == (amount.base if isinstance(amount, TieredPrices) else Decimal(amount)) * 10**9


def test_where_prices_rise_with_length_the_model_keeps_its_window_and_has_both_prices(taken_over: list[Model]) -> None:
    row = Model.objects.get(slug="gemini-2.5-pro")
    assert row.context_tokens == 1_048_576
    long = {"above": 200_000, "input": 2_500_000_000, "output": 15_000_000_000, "cached_input": 250_000_000}
    assert row.prices.get().long == long
    short = Price.objects.get(model__slug="claude-sonnet-4-5")  # its prices rise where its window ends
    assert short.long == {}


def test_rates_of_sound_and_of_caches_for_an_hour_come_along(taken_over: list[Model]) -> None:
    claude, gemini = (Price.objects.get(model__slug=slug) for slug in ("claude-haiku-4-5", "gemini-2.5-flash"))
    assert claude.units == {"cache_write_1h_tokens": 2_000_000_000}
    assert gemini.units == {"input_audio_tokens": 1_000_000_000, "cached_audio_tokens": 100_000_000}


def test_sound_is_priced_by_time_or_by_characters(taken_over: list[Model]) -> None:
    rates = {
        slug: Price.objects.get(model__slug=slug).units for slug in ("whisper-1", "groq/whisper-large-v3", "tts-1")
    }
    assert rates["whisper-1"] == {"seconds": 100_000_000_000}  # $0.36 an hour is $0.006 a minute
    assert rates["groq/whisper-large-v3"] == {"seconds": 30_833_333_334}
    assert rates["tts-1"] == {"characters": 15_000_000_000}


def test_taking_over_twice_changes_nothing(taken_over: list[Model]) -> None:
    assert len(taken_over) == len(models())
    assert proposals() == []
    assert Price.objects.filter(source__startswith="genai-prices").count() == len(models())


def test_nothing_is_connected_by_being_known(taken_over: list[Model]) -> None:
    assert connected_model_ids([model.pk for model in taken_over]) == set()


def test_a_price_of_ones_own_is_left_alone_and_an_outdated_one_is_offered(taken_over: list[Model]) -> None:
    own, old = Model.objects.get(slug="gpt-4o"), Model.objects.get(slug="gpt-4o-mini")
    set_price(actor=SYSTEM, model=own, effective_from=None, input=1, output=1, source="our contract")
    set_price(actor=SYSTEM, model=old, effective_from=None, input=1, output=1, source="genai-prices 0.0.1")
    (offered,) = proposals()
    assert (
        offered.sentence
        == "~ gpt-4o-mini: $0.000000001 in, $0.000000001 out per 1M tokens → $0.15 in, $0.60 out per 1M tokens"
    )
    take_over([offered], actor=SYSTEM)
    assert old.prices.all()[0].input == 150_000_000
    assert proposals() == []


@pytest.mark.django_db
def test_the_command_shows_first_and_applies_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_models", only="gpt-4o-mini")
    assert "+ gpt-4o-mini: GPT-4o mini, $0.15 in, $0.60 out" in capsys.readouterr().out
    assert not Model.objects.exists()
    call_command("import_models", only="gpt-4o-mini", apply=True)
    assert Model.objects.get().slug == "gpt-4o-mini"


def test_a_key_in_the_environment_connects_its_provider(
    taken_over: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connect_from_environment(actor=SYSTEM) == {}
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-live-Zq7mT4vX9pLw2")
    added = connect_from_environment(actor=SYSTEM)
    assert set(added) == {"mistral"}
    provider = Provider.objects.get()
    assert read_credential(provider) == "sk-live-Zq7mT4vX9pLw2"
    assert Credential.objects.get().reference == "MISTRAL_API_KEY"
    assert connected_model_ids([model.pk for model in taken_over]) == {model.pk for model in added["mistral"]} != set()
    before = AuditEvent.objects.count()
    assert connect_from_environment(actor=SYSTEM) == {}
    assert AuditEvent.objects.count() == before


def test_another_address_may_stand_beside_the_key(taken_over: list[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-live-Zq7mT4vX9pLw2")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9571/v1")
    connect_from_environment(actor=SYSTEM)
    provider = Provider.objects.get()
    assert (provider.base_url, provider.internal) == ("http://127.0.0.1:9571/v1", True)
    assert Deployment.objects.filter(provider=provider, upstream_model="gpt-4o-mini").exists()
