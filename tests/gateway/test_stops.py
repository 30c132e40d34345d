"""The kill switch as a caller meets it: refused with the reason, and around a stopped provider where there is another way."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.factories import gateway as make
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        yield fake


@pytest.fixture
def gateway(upstream: FakeUpstream) -> Iterator[LiveGateway]:
    """Model `pair` is served by two providers, `lone` by the first of them."""
    first = make.deployment(upstream.url, weight=1000)
    second = make.deployment(upstream.url, id="dep_2", provider_id="prov_2", provider="bravo", weight=1)
    drained = make.deployment(upstream.url, id="dep_3", provider_id="prov_3", provider="charly", weight=0)
    models = (make.model("pair", first, second), make.model("lone", first, drained))
    with LiveGateway(upstream.url, models=models) as live:
        yield live


def stop(gateway: LiveGateway, kind: str, entity: str = "") -> None:
    snapshot = gateway.runtime.snapshot
    assert snapshot is not None
    gateway.configure(replace(snapshot, stops={(kind, entity): "It leaks."}))


@pytest.mark.parametrize(
    ("kind", "entity", "status", "words"),
    [
        ("everything", "", 503, "Every call is stopped"),
        ("team", "team_1", 403, "The team Search is stopped"),
        ("key", "key_1", 403, "The API key atp_…a1b2 is stopped"),
        ("model", "mod_lone", 403, 'The model "lone" is stopped'),
        ("provider", "prov_1", 503, 'The provider acme, which serves the model "lone", is stopped'),
    ],
)
def test_a_stop_says_what_why_and_who_lifts_it(
    gateway: LiveGateway, upstream: FakeUpstream, kind: str, entity: str, status: int, words: str
) -> None:
    stop(gateway, kind, entity)
    answer = gateway.chat(model="lone")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["source"]) == (status, "stopped", "gateway")
    assert error["message"].startswith(words)
    assert "Reason: It leaks." in error["message"]
    assert "platform administrator" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.received == []
    assert gateway.journal.records == []


def test_a_stop_of_something_else_changes_nothing(gateway: LiveGateway) -> None:
    for kind, entity in (("team", "team_2"), ("key", "key_2"), ("model", "mod_pair"), ("provider", "prov_3")):
        stop(gateway, kind, entity)
        assert gateway.chat(model="lone").status_code == 200


def test_calls_go_around_a_stopped_provider(gateway: LiveGateway) -> None:
    stop(gateway, "provider", "prov_1")
    for _ in range(5):
        assert gateway.chat(model="pair").headers["x-atrium-deployment"] == "dep_2"


def test_what_is_stopped_is_not_on_offer(gateway: LiveGateway) -> None:
    def offered() -> list[str]:
        return [model["id"] for model in gateway.client.get("/v1/models").json()["data"]]

    assert offered() == ["lone", "pair"]
    stop(gateway, "provider", "prov_1")
    assert offered() == ["pair"]
    stop(gateway, "model", "mod_pair")
    assert offered() == ["lone"]
