"""Requests: pages that follow each other, and one request in full, for whoever may see it."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from billing import rollup
from billing.models import UsageEvent
from portal.people.permissions import Role
from tests.factories.billing import UsageEventFactory
from tests.factories.catalog import DeploymentFactory, ModelFactory, PriceFactory, ProviderFactory
from tests.factories.keys import member_of, minted
from tests.factories.people import ApplicationFactory, MembershipFactory, TeamFactory, UserFactory, person_as

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="portal.people.identity.backend.ActivePersonBackend")
    return client


def ids_on(client: Client, url: str) -> tuple[list[str], str]:
    """Return the ids on a page of requests and its address of older ones."""
    html = unescape(client.get(url).content.decode())
    older = re.search(r'rel="next" href="([^"]+)"', html)
    return re.findall(r"/spend/requests/(req_\d+)", html), older[1] if older else ""


def test_pages_reach_every_request_once_and_the_way_back() -> None:
    auditor = client_of(person_as(Role.AUDITOR))
    same = datetime.now(UTC).replace(microsecond=0)
    for n in range(120):
        UsageEventFactory(request_id=f"req_{n:03}", at=same - SECOND * (n // 7))
    path = reverse("billing-usage-list")
    seen, url = [], f"{path}?period=7d"
    while url:
        found, older = ids_on(auditor, url)
        seen += found
        url = older and path + older
    assert len(seen) == 120
    assert sorted(seen) == [f"req_{n:03}" for n in range(120)]
    first, older = ids_on(auditor, f"{path}?period=7d")
    html = unescape(auditor.get(path + older).content.decode())
    back = re.search(r'rel="prev" href="([^"]+)"', html)
    assert back is not None
    assert ids_on(auditor, path + back[1])[0] == first


def test_one_request_shows_each_attempt_and_the_price_behind_its_cost() -> None:
    user, team = UserFactory(email="ada@example.com"), TeamFactory(name="Search")
    model = ModelFactory(slug="chat-small", display_name="Chat small")
    provider = ProviderFactory(name="Acme")
    price = PriceFactory(model=model)
    deployment = DeploymentFactory(model=model, provider=provider, upstream_model="gpt-4o-mini")
    known = {
        "request_id": "req_1", "user_id": user.pk, "team_id": team.pk, "model_id": model.pk,
        "provider_id": provider.pk, "deployment_id": deployment.pk, "price_id": price.pk,
    }  # fmt: skip
    UsageEventFactory(
        **known, attempt=1, status=502, code="upstream_error", cost_nano_usd=0, output_tokens=0, input_tokens=0
    )
    UsageEventFactory(**known, attempt=2, input_tokens=1000, cached_tokens=400, output_tokens=50, cost_nano_usd=150_000)
    html = unescape(client_of(user).get(reverse("billing-usage-detail", args=["req_1"])).content.decode())
    for words in ("Attempt 1", "Attempt 2", "upstream error", "gpt-4o-mini at Acme", "openai-python/2.1", "$0.15 per 1M",
                  "$0.00009", "$0.00003", "$0.00015", price.pk, "Policy version",
                  "Nothing was used, and nothing charged."):  # fmt: skip
        assert words in html, words
    assert "is gone" not in html  # no price stands behind what was not charged


def test_the_way_of_a_request_through_places_and_models_is_told() -> None:
    user = UserFactory()
    dear, cheap = (
        ModelFactory(slug=slug, display_name=name) for slug, name in (("large", "Large"), ("small", "Small"))
    )
    here, there = (
        DeploymentFactory(model=dear, upstream_model="here"),
        DeploymentFactory(model=dear, upstream_model="there"),
    )
    spare = DeploymentFactory(model=cheap, upstream_model="spare")
    ways = [
        (here, 503, "provider_error"),
        (here, 504, "upstream_timeout"),
        (there, 429, "provider_error"),
        (spare, 200, ""),
    ]
    for number, (place, status, code) in enumerate(ways, 1):
        UsageEventFactory(
            request_id="req_1", attempt=number, user_id=user.pk, model_id=place.model_id, deployment_id=place.pk,
            provider_id=place.provider_id, status=status, code=code, cost_nano_usd=0,
        )  # fmt: skip
    html = unescape(client_of(user).get(reverse("billing-usage-detail", args=["req_1"])).content.decode())
    told = [
        "So the same deployment was tried again.", "So another deployment was tried.", "So Small was called instead.",
        "Answered the caller.",
    ]  # fmt: skip
    places = [html.index(words) for words in told]
    assert places == sorted(places)
    assert "upstream timeout (504)" in html


def test_an_estimate_and_a_lost_price_are_said() -> None:
    user = UserFactory()
    UsageEventFactory(request_id="req_1", user_id=user.pk, estimated=True, price_id="price_gone", cost_nano_usd=5)
    html = client_of(user).get(reverse("billing-usage-detail", args=["req_1"])).content.decode()
    assert "This is an estimate" in html
    assert "The price behind it is gone" in html
    assert "$0.000000005" in html


def test_anothers_request_is_not_there() -> None:
    event: UsageEvent = UsageEventFactory()
    stranger = client_of(person_as(Role.LEAD))
    assert stranger.get(reverse("billing-usage-detail", args=[event.request_id])).status_code == 404
    assert stranger.get(reverse("billing-usage-detail", args=["req_none"])).status_code == 404
    assert client_of(person_as(Role.AUDITOR)).get(
        reverse("billing-usage-detail", args=[event.request_id])
    ).status_code == 200  # fmt: skip


def test_failed_requests_are_what_the_figure_counts() -> None:
    user = UserFactory()
    for status in (200, 200, 429, 502):
        UsageEventFactory(user_id=user.pk, status=status)
    rollup.roll_up()
    client = client_of(user)
    html = unescape(client.get(reverse("billing-usage-mine")).content.decode())
    failed = re.search(r'href="(/spend/requests\?[^"]*status=errors[^"]*)"', html)
    assert failed is not None
    assert client.get(failed[1]).content.decode().count("/spend/requests/req_") == 2


def test_health_is_a_piece_of_a_page() -> None:
    model, user = ModelFactory(), UserFactory()
    url = reverse("billing-model-health", args=[model.pk])
    assert "nothing measured yet" in client_of(user).get(url).content.decode()
    UsageEventFactory(model_id=model.pk, latency_ms=1500)
    html = client_of(user).get(url).content.decode()
    assert "1.5 s" in html
    assert "100.0 %" in html
    assert "<html" not in html
    assert client_of(user).get(reverse("billing-model-health", args=["mdl_none"])).status_code == 404


def test_an_id_in_a_filter_does_not_tell_strangers_what_it_is_called() -> None:
    lead, own_team, other_team = UserFactory(), TeamFactory(), TeamFactory()
    theirs = member_of(other_team, email="grace@example.com")
    MembershipFactory(team=own_team, user=lead, role="lead")
    key, _ = minted(theirs, other_team, name="payroll-bot")
    application = ApplicationFactory(team=other_team, name="Layoff planner")
    query = f"?key={key.pk}&user={theirs.pk}&application={application.pk}"
    html = client_of(lead).get(reverse("billing-usage-list") + query).content.decode()
    for words in (key.name, theirs.email, application.name):
        assert words not in html
    UsageEventFactory(team_id=own_team.pk, user_id=theirs.pk, key_id=key.pk, application_id=application.pk)
    html = client_of(lead).get(reverse("billing-usage-list") + query).content.decode()
    for words in (key.name, theirs.email, application.name):
        assert words in html
