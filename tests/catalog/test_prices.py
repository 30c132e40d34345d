"""What is billed in other than text tokens, and long prompts: from the form to the gateway and to every page."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from catalog.actions.prices import set_price
from catalog.models import Price
from gateway.control.compile import compile_all
from gateway.snapshot import LongRates
from portal.keys.offers import price_words
from portal.people.models import AuditEvent
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.factories.catalog import ModelFactory, ServedModelFactory
from tests.factories.people import SYSTEM, person_as

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return signed_in(person_as(Role.PLATFORM_ADMIN))


def test_a_price_of_sound_images_and_long_prompts_reaches_the_gateway_and_the_pages(client: Client) -> None:
    model = ServedModelFactory()
    add = reverse("catalog-price-add", args=[model.pk])
    listed = reverse("catalog-price-list", args=[model.pk])
    assert "Other rates" not in page(client, listed)
    rates = {"input": "1.25", "output": "10", "unit_images": "0.04", "unit_seconds": "0.0043", "unit_searches": "2"}
    long = {"long_above": "272000", "long_input": "2.50", "long_output": "15"}
    refused = client.post(add, rates | {"long_above": "272000", "long_input": "2.50"})
    assert refused.status_code == 422 and "needs its length" in refused.content.decode()
    client.post(add, rates | long)
    price = compile_all().models[model.pk].prices[-1]
    assert price.units == {"images": 40_000_000_000_000, "seconds": 71_666_666_667, "searches": 2_000_000_000_000}
    assert price.long == LongRates(272_000, 2_500_000_000, 15_000_000_000, units=price.units)
    for url in (listed, reverse("catalog-model-detail", args=[model.slug])):
        words = " ".join(page(client, url).split())
        for told in (
            "$0.04 per image",
            "$0.0043 per minute of audio",
            "$2.00 per 1,000 searches",
            "Above 272,000 prompt tokens",
        ):
            assert told in words


@pytest.mark.parametrize(("entered", "percent"), [("", 50), ("50", 50), ("0", 0), ("35", 35)])
def test_what_batches_cost_is_entered_and_shown_where_it_is_unusual(client: Client, entered: str, percent: int) -> None:
    model = ModelFactory()
    add = reverse("catalog-price-add", args=[model.pk])
    refused = client.post(add, {"input": "1", "batch_percent": "101"})
    assert refused.status_code == 422 and '<details class="at-more" open>' in refused.text
    client.post(add, {"input": "1", "batch_percent": entered})
    assert Price.objects.get().batch_percent == percent
    text = page(client, reverse("catalog-price-list", args=[model.pk]))
    assert (f"Within a batch: {percent} % of all rates" in text) is (percent != 50)


def test_what_is_priced_by_images_alone_shows_that_where_others_show_tokens(client: Client) -> None:
    model = ModelFactory()
    client.post(reverse("catalog-price-add", args=[model.pk]), {"unit_images": "0.04"})
    for url in (reverse("catalog-model-list"), reverse("catalog-admin-model-list")):
        assert "$0.04 per image" in page(client, url)
    assert price_words(Price.objects.get()) == "$0.04 per image"
    assert AuditEvent.objects.get(event__endswith="price:set").after["Images"] == "$0.04 per image"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"units": {"hours": 1}}, "There is no unit hours"),
        ({"units": {"images": -1}}, "not below 0"),
        ({"units": {"images": 1}, "free": True}, "free model has no rates"),
        ({"units": {"images": 0}}, "All rates are 0"),
        ({"input": 1, "long": {"above": 200_000, "input": 2}}, "needs the length"),
        ({"input": 1, "long": {"above": 0, "input": 2, "output": 2}}, "whole number of tokens"),
        ({"input": 1, "long": {"above": 9, "input": 2, "output": 2, "units": {"hours": 1}}}, "There is no unit hours"),
    ],
)
def test_what_cannot_be_a_price_is_refused(more: dict[str, object], words: str) -> None:
    rates: dict[str, object] = {"input": 0, "output": 0} | more
    with pytest.raises(ValidationError, match=words):
        set_price(actor=SYSTEM, model=ModelFactory(), effective_from=None, **rates)  # type: ignore[arg-type]


def test_the_database_itself_refuses_a_free_price_with_units() -> None:
    model = ModelFactory()
    with pytest.raises(IntegrityError, match="price_zero_only_when_free"):
        Price.objects.create(model=model, input=0, output=0, free=True, units={"images": 1})
