"""How a provider's breakers stand, on its page: out of this process, or of Redis; and a try that does not wait."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from catalog.actions.credentials import set_credential
from catalog.actions.providers import try_again
from catalog.models import Deployment
from gateway.control.refresh import News, Refresher
from gateway.control.standing import local_health, standing_of
from gateway.errors import UpstreamError
from gateway.routing.breaker import PLACE
from gateway.routing.health import Health
from gateway.routing.sharing import Sharing
from gateway.snapshot import DeploymentPolicy
from gateway.stores.redis_board import RedisBoard
from portal.people.models import AuditEvent, Change
from portal.people.permissions import Role
from tests.catalog.test_pages import page, signed_in
from tests.factories import gateway as make
from tests.factories.catalog import DeploymentFactory
from tests.factories.people import SYSTEM, acting, person_as

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"
FAILED = UpstreamError("It broke off.")
REFUSED = UpstreamError("It refused the credential.", code="upstream_credential")


@pytest.fixture
def deployment() -> Deployment:
    found: Deployment = DeploymentFactory()
    set_credential(actor=SYSTEM, provider=found.provider, value=SECRET)
    return found


@pytest.fixture
def gateway(deployment: Deployment, settings: Any) -> Iterator[Any]:
    """A gateway's runtime, as far as this needs one, in a portal that shares nothing."""
    settings.REDIS_URL = ""
    clock = SimpleNamespace(now=time.time, monotonic=time.monotonic)
    policy = compiled(deployment)
    world = make.snapshot([make.model("chat", policy)], [])
    runtime = SimpleNamespace(health=Health(), clock=clock, incarnation="gw_1", snapshot=world, canaries=None)
    local_health.offer(runtime)  # type: ignore[arg-type]
    yield runtime
    local_health.withdraw()


def compiled(row: Deployment) -> DeploymentPolicy:
    provider = row.provider
    return make.deployment("http://x", id=row.pk, provider_id=provider.pk, provider=provider.slug, credential=SECRET)


def fail(runtime: Any, row: Deployment, error: UpstreamError = FAILED, times: int = PLACE.least_failures) -> None:
    health, place = runtime.health, compiled(row)
    for _ in range(times):
        health.fail(health.begin(place, time.monotonic()), error, time.monotonic())


def test_the_page_tells_what_is_out_and_lets_it_be_tried(deployment: Deployment, gateway: Any) -> None:
    client, provider = signed_in(person_as(Role.PLATFORM_ADMIN)), deployment.provider
    url = reverse("catalog-provider-edit", args=[provider.pk])
    routing = reverse("catalog-route-edit", args=[deployment.model.pk])
    assert "Taking calls" in page(client, url)
    assert "Left alone" not in page(client, routing)
    fail(gateway, deployment)
    assert "too many of its calls failed since" in page(client, routing)
    text = page(client, url)
    assert "Left alone" in text
    assert "too many of its calls failed since" in text
    assert client.post(reverse("catalog-provider-again", args=[provider.pk])).status_code == 302
    (event,) = AuditEvent.objects.filter(event="portal:provider:try_again")
    assert Change.objects.get(revision=event.revision).kind == "provider_try"
    Refresher._let_try(SimpleNamespace(_runtime=gateway), News(1, (("provider_try", provider.pk),)))  # type: ignore[arg-type]
    found = standing_of(provider)
    assert found is not None
    assert (found.places[deployment.pk].state, found.places[deployment.pk].tried_by) == ("half-open", "gw_1")
    for text in (page(client, url), page(client, routing)):
        assert "a gateway process lets one call through" in text
        assert "gw_1" not in text
    with pytest.raises(PermissionDenied):
        try_again(actor=acting(person_as(Role.AUDITOR)), provider=provider)


def test_a_refused_credential_keeps_when_it_was_first_refused(deployment: Deployment, gateway: Any) -> None:
    fail(gateway, deployment, REFUSED, times=1)
    (outage,) = gateway.health.outages()
    since = outage.breaker.since
    outage.breaker.try_now(time.monotonic())
    fail(gateway, deployment, REFUSED, times=1)
    assert (outage.breaker.opened, outage.breaker.since) == (2, since)
    found = standing_of(deployment.provider)
    assert found is not None
    assert (found.credential.why, found.credential.times) == ("it refuses the credential", 2)
    client = signed_in(person_as(Role.PLATFORM_ADMIN))
    assert "Its credential" in page(client, reverse("catalog-provider-edit", args=[deployment.provider.pk]))
    assert "it refuses the credential" in page(client, reverse("catalog-route-edit", args=[deployment.model.pk]))


def test_over_redis_every_process_counts(deployment: Deployment, gateway: Any, fresh_redis: str, settings: Any) -> None:
    local_health.withdraw()
    assert standing_of(deployment.provider) is None
    settings.REDIS_URL = fresh_redis
    fail(gateway, deployment)

    async def tell() -> None:
        board = RedisBoard(fresh_redis, name="gw_1")
        await Sharing(gateway, board).once()
        await board.claim(f"probe:{deployment.provider.pk}", 5.0)
        await board.aclose()

    asyncio.run(tell())
    found = standing_of(deployment.provider)
    assert found is not None
    assert (found.places[deployment.pk].state, found.credential.state, found.asked_by) == ("open", "closed", "gw_1")
    assert found.is_out
