"""Another model for a call that the one asked for cannot serve: only for the reasons named, and under every rule."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.routing.policy import Fallback, Redirect, RoutePolicy
from gateway.snapshot import ModelPolicy, Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.gateway.test_failures import raw
from tests.gateway.ways import check_books, model, place, providers
from tests.upstream import FakeUpstream, Plan

EVERY = frozenset({"error", "rate_limit", "context_window", "content_policy", "budget"})
BUDGET = make.quota("usd", "month", 10**12)
CHEAP = (Price("price_cheap", 0.0, 1_000_000, 1_000_000),)
TOO_LONG = raw("400 Bad", b'{"error": {"message": "This model\'s maximum context length is 9 tokens.", "code": null}}')
FILTERED = raw("400 Bad", b'{"error": {"message": "Filtered.", "code": "content_filter"}}')


@pytest.fixture
def pair() -> Iterator[list[FakeUpstream]]:
    with providers(2) as found:
        yield found


def models(
    pair: list[FakeUpstream], on: frozenset[str] = EVERY, second: dict[str, Any] | None = None, **first: Any
) -> list[ModelPolicy]:
    """Return a model that falls back on another one, for the reasons given."""
    route = {"retries": 0, "fallbacks": (Fallback("mod_spare", on),)} | first.pop("route", {})
    return [
        model("main", place(pair[0], "a", **first.pop("at", {})), route=route, **first),
        model("spare", place(pair[1], "b", **(second or {}).pop("at", {})), **{"prices": CHEAP} | (second or {})),
    ]


def ask(gateway: LiveGateway, **more: Any) -> Any:
    return gateway.chat(model="main", **more)


REASONS = [
    ("error", Plan(status=500)), ("error", Plan(status=401)), ("error", Plan(reset_first=True)),
    ("rate_limit", Plan(status=429, headers={"retry-after": "30"})), ("context_window", TOO_LONG),
    ("content_policy", FILTERED),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "plan"), REASONS)
def test_another_model_answers_for_the_reasons_named(
    start_gateway: StartGateway, pair: list[FakeUpstream], reason: str, plan: Plan
) -> None:
    gateway = start_gateway(models=models(pair, frozenset({reason})), quotas=[BUDGET])
    pair[0].script(plan)
    answer = ask(gateway)
    assert answer.status_code == 200
    assert answer.headers["x-atrium-model"] == "spare"
    assert answer.headers["x-atrium-model-asked"] == "main"
    assert (answer.headers["x-atrium-fallback"], answer.headers["x-atrium-attempts"]) == ("true", "2")
    assert answer.headers["x-atrium-fallback-reason"].endswith("so spare answers.")
    opened = gateway.journal.opened
    assert [(one.model_id, one.price_id) for one in opened] == [("mod_main", "price_1"), ("mod_spare", "price_cheap")]
    check_books(gateway, pair)


@pytest.mark.parametrize(("reason", "plan"), REASONS)
def test_and_for_no_others(start_gateway: StartGateway, pair: list[FakeUpstream], reason: str, plan: Plan) -> None:
    gateway = start_gateway(models=models(pair, EVERY - {reason}))
    pair[0].script(plan)
    assert ask(gateway).status_code >= 400
    assert not pair[1].received


def test_what_the_caller_did_wrong_goes_nowhere_else(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=models(pair))
    pair[0].script(raw("400 Bad", b'{"error": {"message": "temperature has to be a number", "param": "temperature"}}'))
    assert ask(gateway).status_code == 400
    assert not pair[1].received


def test_our_own_count_of_a_prompt_that_is_too_long(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=models(pair, context_tokens=20), quotas=[BUDGET])
    answer = ask(gateway, messages=[{"role": "user", "content": "word " * 100}], max_tokens=10)
    assert (answer.status_code, answer.headers["x-atrium-model"]) == (200, "spare")
    assert answer.headers["x-atrium-attempts"] == "1"
    assert not pair[0].received
    check_books(gateway, pair)


def test_a_budget_that_does_not_cover_the_dear_model(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=models(pair), quotas=[make.quota("usd", "month", 100_000)])
    answer = ask(gateway)
    assert (answer.status_code, answer.headers["x-atrium-model"]) == (200, "spare")
    assert answer.headers["x-atrium-fallback-reason"] == "main is not covered by the budget, so spare answers."
    assert not pair[0].received
    check_books(gateway, pair)


def test_a_fallback_is_reserved_like_any_other(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    pair_quota = replace(make.quota("requests", "day", 1), id="pair", model_id="mod_spare")
    gateway = start_gateway(models=models(pair), quotas=[pair_quota, BUDGET])
    pair[0].always(Plan(status=500))
    assert [ask(gateway).status_code for _ in range(2)] == [200, 500]
    check_books(gateway, pair)


@pytest.mark.parametrize(
    "second",
    [
        {"stage": "retired"}, {"prices": ()}, {"deployments": ()}, {"capabilities": frozenset({"embeddings"})},
        {"context_tokens": 1}, {"max_output_tokens": 9}, {"data_classes": frozenset({"public"})},
        {"at": {"region": "us"}}, {"at": {"data_classes": frozenset({"public"})}},
    ],
)  # fmt: skip
def test_a_model_that_may_not_serve_the_call_does_not(
    start_gateway: StartGateway, pair: list[FakeUpstream], second: dict[str, Any]
) -> None:
    offered = models(pair, second=second, at={"region": "eu"}, route={"regions": frozenset({"eu"})})
    gateway = start_gateway(models=offered, quotas=[BUDGET])
    pair[0].script(Plan(status=500))
    refused = gateway.client.post(
        "/v1/chat/completions", headers={"x-atrium-data-class": "internal"},
        json={"model": "main", "messages": [{"role": "user", "content": "word " * 40}], "max_tokens": 10},
    )  # fmt: skip
    assert (refused.status_code, refused.json()["error"]["source"]) == (500, "provider")
    assert not pair[1].received
    check_books(gateway, pair)


def test_nor_one_that_the_key_may_not_call(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    offered = models(pair)
    gateway = start_gateway(models=offered, team=make.team(offered[:1]))
    pair[0].script(Plan(status=500))
    assert ask(gateway).status_code == 500
    assert not pair[1].received


def test_the_class_of_the_first_model_goes_along(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    high: dict[str, Any] = {"tier": "high-risk", "data_classes": frozenset({"confidential"})}
    gateway = start_gateway(models=models(pair, second={"data_classes": frozenset({"internal"})}, **high))
    pair[0].script(Plan(status=500))
    assert ask(gateway).status_code == 500
    assert not pair[1].received


def test_several_fallbacks_are_tried_in_order_and_none_twice(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    dead = {"base_url": "http://127.0.0.1:1/v1"}
    route = RoutePolicy(
        retries=0, fallbacks=(Fallback("mod_gone", EVERY), Fallback("mod_b", EVERY), Fallback("mod_c", EVERY))
    )
    back = RoutePolicy(retries=0, fallbacks=(Fallback("mod_a", EVERY),))  # which counts for calls to it alone
    offered = [
        make.model("a", place(pair[0], "a", **dead), route=route),
        make.model("b", place(pair[0], "b", **dead), route=back),
        make.model("c", place(pair[1], "c")),
    ]
    gateway = start_gateway(models=offered, quotas=[BUDGET])
    answer = gateway.chat(model="a")
    assert (answer.headers["x-atrium-model"], answer.headers["x-atrium-attempts"]) == ("c", "3")
    both_dead = gateway.chat(model="b")
    assert (both_dead.status_code, both_dead.headers["x-atrium-attempts"]) == (502, "2")
    check_books(gateway, pair)


def test_streams_fall_back_before_their_first_event(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=models(pair), quotas=[BUDGET])
    pair[0].script(Plan(cut=0))
    with gateway.client.stream(
        "POST", "/v1/chat/completions", json={"model": "main", "messages": HELLO, "stream": True}
    ) as answer:
        assert answer.read().endswith(b"data: [DONE]\n\n")
        assert answer.headers["x-atrium-model"] == "spare"
    check_books(gateway, pair)


BROKEN = {"dialect": "vertex", "credential": '{"no": "key"}', "options": {"project": "p", "location": "l"}}


def test_it_answers_as_well_once_the_outage_is_known_and_nothing_stays_held(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    """The first place is never dialled, as its credential cannot be used; then the breaker bars it."""
    gateway = start_gateway(models=models(pair, frozenset({"error"}), at=BROKEN), quotas=[BUDGET])
    answers = [ask(gateway) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.headers["x-atrium-model"] for answer in answers} == {"spare"}
    assert {answer.headers["x-atrium-attempts"] for answer in answers} == {"1"}
    check_books(gateway, pair)


def test_rates_of_a_place_that_was_never_dialled_are_given_back(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(
        models=models(pair, frozenset({"error"}), at=BROKEN), quotas=[make.quota("concurrent", "minute", 1)]
    )
    assert [ask(gateway).status_code for _ in range(3)] == [200] * 3


def test_a_fallback_that_is_barred_leaves_the_turn_to_the_next(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    route = RoutePolicy(retries=0, fallbacks=(Fallback("mod_b", EVERY), Fallback("mod_c", EVERY)))
    offered = [
        make.model("a", place(pair[0], "a"), route=route),
        make.model("b", place(pair[0], "b", **BROKEN)),
        make.model("c", place(pair[1], "c")),
    ]
    gateway = start_gateway(models=offered, quotas=[BUDGET])
    gateway.chat(model="b")  # from here on its credential is known to be refused
    pair[0].always(Plan(status=500))
    answer = gateway.chat(model="a")
    assert (answer.status_code, answer.headers.get("x-atrium-model")) == (200, "c")
    check_books(gateway, pair)


def test_where_no_fallback_is_left_the_outage_is_told(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=models(pair, frozenset({"rate_limit"}), at=BROKEN), quotas=[BUDGET])
    refused = [ask(gateway) for _ in range(2)]
    assert [one.status_code for one in refused] == [502, 503]
    assert {one.json()["error"]["code"] for one in refused} == {"upstream_credential"}
    assert not pair[1].received
    check_books(gateway, pair)


def test_a_redirect_shows_in_headers_and_in_the_journal(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    main, spare = models(pair, route={"redirect": Redirect("mod_spare", ((0.0, 100.0),))})
    gateway = start_gateway(models=[main, spare], quotas=[BUDGET])
    answer = ask(gateway)
    assert answer.headers["x-atrium-model"] == "spare"
    assert answer.headers["x-atrium-model-asked"] == "main"
    assert answer.headers["x-atrium-fallback"] == "true"
    assert answer.headers["x-atrium-fallback-reason"] == "main is being retired, so spare answers."
    assert [(one.model_id, one.asked_model_id) for one in gateway.journal.opened] == [("mod_spare", "mod_main")]
    assert gateway.runtime.health.fallbacks == {("main", "redirect"): 1}
    check_books(gateway, pair)
