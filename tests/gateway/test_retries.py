"""Another attempt before the first byte: when, where, how often; and what it costs."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.snapshot import Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.gateway.ways import check_books, cost_of, model, place, providers
from tests.upstream import FakeUpstream, Plan

BUDGET = make.quota("usd", "month", 10**12)
SHORT = {"connect_timeout_s": 0.2, "first_byte_timeout_s": 0.3, "idle_timeout_s": 0.3, "total_timeout_s": 5.0}


@pytest.fixture
def pair() -> Iterator[list[FakeUpstream]]:
    with providers(2) as found:
        yield found


def both(pair: list[FakeUpstream], route: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Return one model at both providers, the first one first."""
    return model(
        "chat-small", *(place(one, name, **changes) for one, name in zip(pair, "ab", strict=True)), route=route
    )


def stream(gateway: LiveGateway) -> tuple[int, str, Any]:
    body = {"model": "chat-small", "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        return answer.status_code, answer.read().decode(), answer.headers


FIRST_EVENT_FAILS = Plan(
    raw=b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"error": {"message": "Overloaded."}}\n\n'
)
FAILURES = [
    *(pytest.param(Plan(status=status), id=str(status)) for status in (408, 409, 425, 429, 500, 502, 503)),
    pytest.param(Plan(status=401), id="credential"), pytest.param(Plan(reset_first=True), id="reset"),
    pytest.param(Plan(delay=30), id="silence"), pytest.param(Plan(error_inside=True, prompt_tokens=0, chunks=0), id="error under 200"),
    pytest.param(Plan(cut=0), id="cut"), pytest.param(Plan(redirect="http://127.0.0.1:1/v1"), id="redirect"),
    pytest.param(Plan(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"), id="page"),
]  # fmt: skip


@pytest.mark.parametrize("plan", FAILURES)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_next_place_answers(
    start_gateway: StartGateway, pair: list[FakeUpstream], plan: Plan, streamed: bool
) -> None:
    gateway = start_gateway(models=[both(pair, **SHORT)], quotas=[BUDGET])
    pair[0].script(plan if not (streamed and plan.error_inside) else FIRST_EVENT_FAILS)
    if streamed:
        status, text, headers = stream(gateway)
        assert text.endswith("data: [DONE]\n\n")
        assert "error" not in text
    else:
        answer = gateway.chat()
        status, headers = answer.status_code, answer.headers
    assert status == 200
    assert (headers["x-atrium-attempts"], headers["x-atrium-fallback"]) == ("2", "true")
    assert headers["x-atrium-deployment"] == "dep_b"
    first, second = until(lambda: len(gateway.journal.closed) == 2 and gateway.journal.closed)
    assert first.status >= 400
    assert first.code
    assert (second.status, second.code) == (200, "")
    check_books(gateway, pair)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_the_caller_sent_is_not_sent_elsewhere(
    start_gateway: StartGateway, pair: list[FakeUpstream], status: int
) -> None:
    gateway = start_gateway(models=[both(pair)])
    pair[0].script(Plan(status=status))
    assert gateway.chat().status_code == status
    assert not pair[1].received


def test_nothing_is_tried_again_after_the_first_byte(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair)], quotas=[BUDGET])
    pair[0].script(Plan(text="alpha beta gamma", cut=2))
    status, text, _ = stream(gateway)
    assert status == 200
    assert "upstream_error" in text
    assert not pair[1].received
    check_books(gateway, pair)


def test_the_same_place_is_tried_again_where_there_is_no_other(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))], quotas=[BUDGET])
    upstream.script(Plan(status=503), Plan(status=500))
    began = time.monotonic()
    answer = gateway.chat()
    assert (answer.status_code, answer.headers["x-atrium-attempts"]) == (200, "3")
    assert time.monotonic() - began > 0.3, "there is a pause before each"
    assert float(answer.headers["x-atrium-overhead-ms"]) < 200, "which is not the gateway's own work"
    check_books(gateway, [upstream])


def test_attempts_are_bounded_and_the_last_error_is_told(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"), route={"retries": 1})], quotas=[BUDGET])
    upstream.always(Plan(status=503, headers={"retry-after-ms": "20"}))
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["source"]) == (503, "provider")
    assert answer.headers["x-atrium-attempts"] == "2"
    assert len(upstream.received) == 2
    check_books(gateway, [upstream])


def test_no_attempt_begins_after_the_time_is_up(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair, {"retry_within_s": 0.1}, **SHORT)])
    pair[0].script(Plan(delay=30))
    assert gateway.chat().status_code == 504
    assert not pair[1].received


@pytest.mark.parametrize(("header", "least_s"), [({"retry-after": "1"}, 1.0), ({"retry-after-ms": "700"}, 0.7)])
def test_a_provider_is_left_alone_as_long_as_it_asks(
    start_gateway: StartGateway, upstream: FakeUpstream, header: dict[str, str], least_s: float
) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))])
    upstream.script(Plan(status=429, headers=header))
    began = time.monotonic()
    assert gateway.chat().status_code == 200
    assert time.monotonic() - began >= least_s


def test_a_provider_that_asks_for_longer_is_not_waited_for(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a"))])
    upstream.script(Plan(status=429, headers={"retry-after": "30"}))
    answer = gateway.chat()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert len(upstream.received) == 1


def test_another_place_is_tried_at_once_and_the_first_left_alone(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(models=[both(pair)])
    pair[0].script(Plan(status=429, headers={"retry-after": "30"}))
    began = time.monotonic()
    assert [gateway.chat().status_code for _ in range(3)] == [200] * 3
    assert time.monotonic() - began < 2
    assert len(pair[0].received) == 1


@pytest.mark.parametrize(
    ("changes", "plan", "streamed", "code"),
    [
        ({"first_byte_timeout_s": 0.2, "connect_timeout_s": 0.1}, Plan(delay=30), False, "upstream_timeout"),
        ({"idle_timeout_s": 0.2}, Plan(hang=0, text="alpha beta"), False, "upstream_idle_timeout"),
        ({"idle_timeout_s": 0.2}, Plan(hang=2, text="alpha beta gamma"), True, "upstream_idle_timeout"),
        ({"total_timeout_s": 0.4}, Plan(chunks=900, chunk_delay=0.05), True, "upstream_total_timeout"),
        ({"total_timeout_s": 0.3}, Plan(delay=30), False, "upstream_total_timeout"),
    ],
)  # fmt: skip
def test_each_time_limit_has_its_code(
    start_gateway: StartGateway,
    upstream: FakeUpstream,
    changes: dict[str, float],
    plan: Plan,
    streamed: bool,
    code: str,
) -> None:
    gateway = start_gateway(models=[model("chat-small", place(upstream, "a", **changes), route={"retries": 0})])
    upstream.script(plan)
    text = stream(gateway)[1] if streamed else gateway.chat().text
    assert f'"code":"{code}"' in text
    assert gateway.journal.closed[0].code == code


def test_an_attempt_that_may_have_been_served_is_charged_beside_the_one_that_was(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(models=[both(pair, **SHORT)], quotas=[BUDGET])
    pair[0].script(Plan(delay=30))
    answer = gateway.chat()
    first, second = gateway.journal.closed
    assert first.estimated and first.cost_nano_usd > 0
    assert not second.estimated
    assert first.latency_ms >= 300 > second.latency_ms, "each has its own time"
    assert gateway.money.spent(BUDGET.id) == first.cost_nano_usd + second.cost_nano_usd
    until(lambda: gateway.observed.lines)
    assert gateway.observed.lines[-1].cost_nano_usd == gateway.money.spent(BUDGET.id)
    assert round(float(answer.headers["x-atrium-cost-usd"]) * 1e9) == gateway.money.spent(BUDGET.id)


def test_where_money_does_not_suffice_for_another_attempt_the_failure_is_told(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    asked = {"messages": [{"role": "user", "content": "word " * 200}]}
    measured = start_gateway(models=[both(pair)])
    measured.chat(**asked)
    bound = measured.journal.opened[0].bound_nano_usd
    pair[0].ledger.clear()
    gateway = start_gateway(models=[both(pair, **SHORT)], quotas=[make.quota("usd", "month", bound)])
    pair[0].script(Plan(delay=30))
    answer = gateway.chat(**asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert not pair[1].received
    check_books(gateway, pair)


def test_places_with_prices_of_their_own(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    dear = Price("price_dear", 0.0, 900_000_000, 3_000_000_000)
    places = place(pair[0], "a", prices=(dear,)), place(pair[1], "b")
    gateway = start_gateway(models=[model("chat-small", *places)], quotas=[BUDGET])
    assert gateway.chat().headers["x-atrium-deployment"] == "dep_a"
    pair[0].script(Plan(status=500))
    assert gateway.chat().headers["x-atrium-deployment"] == "dep_b"
    opened, closed = gateway.journal.opened, gateway.journal.closed
    assert [one.price_id for one in opened] == ["price_dear", "price_dear", "price_1"]
    assert len({one.bound_nano_usd for one in opened}) == 1, "reserved at the dearest"
    assert closed[0].cost_nano_usd == cost_of(closed[0], dear)
    assert closed[2].cost_nano_usd == cost_of(closed[2])
    check_books(gateway, pair)


def test_many_calls_over_failing_providers_are_charged_as_they_were_served(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    gateway = start_gateway(models=[both(pair, {"strategy": "weighted"})], quotas=[BUDGET])
    plans = [
        Plan(status=500),
        Plan(),
        Plan(status=429),
        Plan(error_inside=True, prompt_tokens=0),
        Plan(),
        Plan(),
        Plan(status=503),
    ]
    for upstream in pair:
        upstream.script(*(plans * 6))
    with ThreadPoolExecutor(8) as pool:
        statuses = [one.status_code for one in pool.map(lambda number: gateway.chat(stream=number % 2 == 0), range(60))]
    assert statuses.count(200) > 40
    until(lambda: gateway.idle)
    check_books(gateway, pair)
