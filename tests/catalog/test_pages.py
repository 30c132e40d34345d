"""What employees see of the catalogue, and what it costs to show it."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Deployment, Model, Price
from portal.people.models import Team, User
from portal.people.permissions import Role
from tests.factories.billing import QuotaFactory, UsageEventFactory
from tests.factories.catalog import ModelFactory, PriceFactory, ProviderFactory, ServedModelFactory, TeamModelFactory
from tests.factories.people import TeamFactory, person_as

pytestmark = pytest.mark.django_db
LIST = "/catalog/models"


@pytest.fixture
def team() -> Team:
    return TeamFactory(name="Search")


@pytest.fixture
def client(team: Team) -> Client:
    return signed_in(person_as(Role.EMPLOYEE, team=team))


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def page(client: Client, url: str, **query: Any) -> str:
    response = client.get(url, query)
    assert response.status_code == 200
    return str(response.content.decode())


def slugs(client: Client, **query: Any) -> list[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [model.slug for model, _ in response.context["rows"]]


def test_the_list_begins_with_what_is_mine(client: Client, team: Team) -> None:
    ServedModelFactory(slug="a-request")
    ModelFactory(slug="b-unserved")
    TeamModelFactory(team=team, model=ServedModelFactory(slug="c-mine"))
    ServedModelFactory(slug="d-retired", stage="retired")
    assert slugs(client) == ["c-mine", "a-request", "b-unserved"]
    text = page(client, LIST)
    assert "Search may use it." in text
    assert "Not connected yet" in text
    assert "$0.15" in text


def test_filters_narrow_and_combine(client: Client, team: Team) -> None:
    ServedModelFactory(slug="small", vendor="Acme", capabilities=["chat"], tier="sandbox", description="cheap talk")
    big = ServedModelFactory(
        slug="big", vendor="Zeta", capabilities=["chat", "vision"], tier="production", stage="deprecated", price=None
    )
    PriceFactory(model=big, input=3 * 10**9)
    TeamModelFactory(team=team, model=big)
    assert slugs(client, q="talk") == ["small"]
    assert (
        slugs(client, vendor="Zeta")
        == slugs(client, capability="vision")
        == slugs(client, tier="production")
        == ["big"]
    )
    assert slugs(client, stage="deprecated") == slugs(client, access="yours") == ["big"]
    assert slugs(client, access="request") == slugs(client, price="0.50") == ["small"]
    assert slugs(client, access="blocked") == slugs(client, q="talk", vendor="Zeta") == []
    assert "No model fits" in page(client, LIST, q="nothing like it")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", ["a", "b", "c"]), ("-name", ["c", "b", "a"]), ("input", ["b", "a", "c"]), ("-input", ["a", "b", "c"]),
        ("context", ["c", "a", "b"]), ("no-such", ["a", "b", "c"]),
    ],
)  # fmt: skip
def test_sorting_puts_what_has_no_price_last(sort: str, order: list[str], client: Client) -> None:
    for slug, context, rate in (("a", 2000, 2), ("b", 3000, 1), ("c", 1000, None)):
        model = ModelFactory(slug=slug, display_name=slug, context_tokens=context)
        if rate:
            PriceFactory(model=model, input=rate)
    assert slugs(client, sort=sort) == order


@pytest.mark.parametrize(
    "query", ["q=%00", "page=zzz", "page=-1", "capability=fly", "price=NaN", "access=all", "sort=--", "q=%27%22%3C"]
)
def test_an_address_that_makes_no_sense_still_shows_the_list(query: str, client: Client) -> None:
    ServedModelFactory()
    assert client.get(f"{LIST}?{query}").status_code == 200


def test_markup_in_a_name_is_text(client: Client) -> None:
    model = ServedModelFactory(display_name="<script>alert(1)</script>", description="<b>bold</b>")
    for url in (LIST, reverse("catalog-model-detail", args=[model.slug])):
        assert "<script>alert" not in page(client, url)
        assert "<b>bold" not in page(client, url)


def test_a_page_of_its_own_even_for_ids_with_slashes(client: Client, team: Team) -> None:
    model = ServedModelFactory(slug="acme/chat-1.5", display_name="Acme chat")
    url = reverse("catalog-model-detail", args=[model.slug])
    text = page(client, url)
    assert f"{reverse('keys-request-new')}?kind=model&amp;model=acme%2Fchat-1.5" in text
    assert "Mint a key for this model" not in text
    TeamModelFactory(team=team, model=model)
    text = page(client, url)
    assert f"{reverse('keys-key-mint')}?model=acme%2Fchat-1.5" in text
    assert "curl http://localhost" in text
    assert "YOUR_ATRIUM_KEY" in text
    assert "$0.075" in text
    assert client.get("/catalog/models/acme").status_code == 404


def test_the_page_tells_health_limits_and_the_next_price(client: Client, team: Team) -> None:
    model = TeamModelFactory(team=team).model
    url = reverse("catalog-model-detail", args=[model.slug])
    assert "nothing is measured" in page(client, url)
    UsageEventFactory(model_id=model.pk, latency_ms=432, ttft_ms=77)
    UsageEventFactory(model_id=model.pk, latency_ms=432, status=502)
    QuotaFactory(scope_id=team.pk)
    PriceFactory(model=model, effective_from=timezone.now() + timedelta(days=3, hours=1))
    text = page(client, url)
    for words in ("50.0 %", "432 ms", "77 ms", "Limits for you", "Search", "$50.00 per month", "A new price begins"):
        assert words in text


def test_what_cannot_be_called_says_why_and_offers_nothing(client: Client) -> None:
    text = page(client, reverse("catalog-model-detail", args=[ModelFactory().slug]))
    assert "You cannot call this model now" in text
    assert "No provider serves it here yet" in text
    assert "Request access" not in text
    assert "It has no price yet" in text


def test_up_to_four_models_beside_each_other(client: Client) -> None:
    models = ServedModelFactory.create_batch(5)
    text = page(client, reverse("catalog-model-compare"), model=[model.slug for model in models])
    assert [model.display_name in text for model in models] == [True] * 4 + [False]
    assert "Only the first four" in text
    assert "Choose two or more" in page(client, reverse("catalog-model-compare"), model=["nope", models[0].slug])


def test_what_asks_nothing_for_tokens_says_what_it_costs_instead() -> None:
    client = signed_in(person_as(Role.PLATFORM_ADMIN))
    free = ServedModelFactory(capabilities=["moderation"], price=None)
    drawn = ServedModelFactory(capabilities=["image"], price=None)
    PriceFactory(model=free, free=True, input=0, cached_input=None, output=0)
    PriceFactory(model=drawn, units={"images": 40_000_000 * 1_000_000}, input=0, cached_input=None, output=0)
    for url in (LIST, reverse("catalog-admin-model-list")):
        text = page(client, url)
        assert "Free" in text and "$0.04 per image" in text and "$0.00" not in text and "128k" not in text
    for model, words in ((free, "Free"), (drawn, "$0.04 per image")):
        text = page(client, reverse("catalog-price-list", args=[model.pk]))
        assert words in text and "$0.00" not in text and "Show" not in text
        assert "128k" not in page(client, reverse("catalog-model-detail", args=[model.slug]))


def test_strangers_are_sent_to_sign_in() -> None:
    for url in (LIST, "/catalog/models/x", "/catalog/compare"):
        assert Client().get(url)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("count", [3, 25])
def test_queries_of_the_list_do_not_grow(
    count: int, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ServedModelFactory.create_batch(count)
    with django_assert_num_queries(14):
        client.get(LIST)


def test_five_thousand_models_are_shown_in_pages_and_quickly(client: Client, team: Team) -> None:
    provider = ProviderFactory()
    models = Model.objects.bulk_create(ModelFactory.build_batch(5000))
    Price.objects.bulk_create(Price(model=model, input=1, output=1) for model in models)
    Deployment.objects.bulk_create(Deployment(model=model, provider=provider, upstream_model="x") for model in models)
    client.get(LIST)
    timings = []
    for query in ({}, {"sort": "-input", "page": "150"}, {"access": "request", "q": "model"}):
        begin = time.perf_counter()
        assert len(slugs(client, **query)) == 25
        timings.append(time.perf_counter() - begin)
    assert min(timings) < 0.5, timings
