"""Breakers through the gateway: failing places are left alone, one call tries them, nobody is refused for it alone."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.routing.breaker import PLACE
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway
from tests.gateway.test_failures import raw
from tests.gateway.ways import check_books, model, place, providers
from tests.upstream import FakeUpstream, Plan

BUDGET = make.quota("usd", "month", 10**12)


@pytest.fixture
def pair() -> Iterator[list[FakeUpstream]]:
    with providers(2) as found:
        yield found


def both(pair: list[FakeUpstream], **changes: Any) -> Any:
    return model("chat-small", *(place(one, name, **changes) for one, name in zip(pair, "ab", strict=True)))


def breaker(gateway: LiveGateway, name: str) -> Any:
    found = {one.place.id: one.breaker for one in gateway.runtime.health.vitals()}
    return found[f"dep_{name}"]


def let_time_pass(gateway: LiveGateway, name: str) -> None:
    """Let the time be up for which a breaker keeps calls away."""
    breaker(gateway, name).until = 0.0


def test_a_place_that_fails_is_left_alone_then_tried_by_one_call(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(models=[both(pair)], quotas=[BUDGET])
    pair[0].always(Plan(status=500))
    assert {gateway.chat().status_code for _ in range(12)} == {200}
    assert len(pair[0].received) == PLACE.least_failures
    let_time_pass(gateway, "a")
    assert [gateway.chat().headers["x-atrium-attempts"] for _ in range(3)] == ["2", "1", "1"]
    assert len(pair[0].received) == PLACE.least_failures + 1
    pair[0].always(Plan())
    let_time_pass(gateway, "a")
    assert [gateway.chat().headers["x-atrium-deployment"] for _ in range(3)] == ["dep_a"] * 3
    assert not gateway.runtime.health.troubled
    check_books(gateway, pair)


def test_a_place_without_an_alternative_is_tried_all_the_same(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"), route={"retries": 0})])
    upstream.script(*[Plan(status=500)] * PLACE.least_failures)
    assert [gateway.chat().status_code for _ in range(7)] == [500] * PLACE.least_failures + [200, 200]


def test_what_callers_do_wrong_opens_nothing(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair)])
    pair[0].always(Plan(status=400))
    assert {gateway.chat().status_code for _ in range(12)} == {400}
    assert not gateway.runtime.health.troubled


def test_clients_that_hang_up_open_nothing(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair)])
    pair[0].always(Plan(chunks=500, chunk_delay=0.01))
    for _ in range(8):
        body = {"model": "chat-small", "messages": [], "stream": True}
        with gateway.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_raw())
    assert not gateway.runtime.health.troubled


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_credential_that_is_refused_is_out_for_every_place_of_its_provider(
    start_gateway: StartGateway, pair: list[FakeUpstream], status: int
) -> None:
    same = {"provider_id": "prov_a", "provider": "a", "credential": "sk-one-0123456789"}
    models = [
        model("chat-small", place(pair[0], "a", **same), place(pair[1], "b")),
        model("other", place(pair[0], "c", **same)),
    ]
    gateway = start_gateway(models=models, quotas=[BUDGET])
    pair[0].always(
        raw(f"{status} No", b'{"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}')
    )
    assert [gateway.chat().headers["x-atrium-attempts"] for _ in range(3)] == ["2", "1", "1"]
    assert gateway.observed.alarms == [("upstream_credential", "dep_a")]
    refused = gateway.chat(model="other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "upstream_credential")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert len(pair[0].received) == 1
    check_books(gateway, pair)


def test_another_credential_is_back_at_once(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))])
    upstream.script(Plan(status=401))
    assert [gateway.chat().status_code for _ in range(2)] == [502, 503]
    renewed = model("chat-small", place(upstream, "a", credential="sk-renewed-0123456789"))
    gateway.configure(make.snapshot([renewed], [gateway.team]))
    assert gateway.chat().status_code == 200


def test_a_credential_is_tried_again_after_a_while(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))])
    upstream.script(Plan(status=401))
    assert [gateway.chat().status_code for _ in range(2)] == [502, 503]
    [outage] = gateway.runtime.health.outages()
    outage.breaker.until = 0.0
    assert [gateway.chat().status_code for _ in range(2)] == [200, 200]
    assert not gateway.runtime.health.troubled


def test_a_403_that_does_not_speak_of_the_credential_takes_nobody_out(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"), route={"retries": 0})])
    upstream.script(raw("403 No", b'{"error": {"message": "Not in this country."}}'))
    assert [gateway.chat().status_code for _ in range(2)] == [502, 200]
    upstream.script(raw("403 No", b'{"error": {"message": "Your request was rejected by our safety system."}}'))
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["source"]) == (403, "provider")


def test_a_file_that_one_caller_may_not_see_takes_nobody_out(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    here = model("chat-small", place(upstream, "a", dialect="gemini"), route={"retries": 0})
    gateway = start_gateway(models=[here], quotas=[BUDGET])
    words = b'"message": "You do not have permission to access the File abc.", "status": "PERMISSION_DENIED"'
    for _ in range(PLACE.least_failures * 2):
        upstream.script(raw("403 No", b'{"error": {"code": 403, ' + words + b"}}"))
        answer = gateway.chat()
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_refused")
    assert not gateway.runtime.health.troubled
    assert not gateway.observed.alarms
    assert len(upstream.received) == PLACE.least_failures * 2
    check_books(gateway, [upstream])


def test_a_hung_place_costs_its_time_limit_until_it_is_out(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(models=[both(pair, connect_timeout_s=0.1, first_byte_timeout_s=0.2)])
    pair[0].always(Plan(delay=60))
    for _ in range(PLACE.least_failures):
        assert gateway.chat().status_code == 200
    began = time.monotonic()
    assert {gateway.chat().headers["x-atrium-attempts"] for _ in range(5)} == {"1"}
    assert time.monotonic() - began < 1.0


def test_no_secret_is_shown_of_what_is_out(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))])
    upstream.script(Plan(status=401))
    gateway.chat()
    assert "sk-a" not in repr(gateway.runtime.health.outages())
