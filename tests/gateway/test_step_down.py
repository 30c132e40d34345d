"""At 100 %: a quota that names a cheaper model lets calls go on there, outside itself and inside every other one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from gateway.money import parse_usd
from gateway.snapshot import ModelPolicy, Price, QuotaPolicy
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.upstream import FakeUpstream, Plan

LARGE, MEDIUM, SMALL = "chat-large", "chat-medium", "chat-small"
RATES = {LARGE: 10_000_000_000, MEDIUM: 2_000_000_000, SMALL: 100_000_000}  # nano-USD per 1M tokens, in and out


def models(upstream: FakeUpstream, **changes: dict[str, Any]) -> list[ModelPolicy]:
    """Return three chat models, each an order of magnitude cheaper than the one before, and one for embeddings."""
    found = [
        make.model(
            slug,
            make.deployment(upstream.url, id=f"dep_{slug}", upstream_model=f"up-{slug}"),
            **{"prices": (Price(f"price_{slug}", 0.0, rate, rate),)} | changes.get(slug.removeprefix("chat-"), {}),
        )
        for slug, rate in RATES.items()
    ]
    place = make.deployment(upstream.url, id="dep_embed")
    return [*found, make.model("embed", place, capabilities=frozenset({"embeddings"}), max_output_tokens=0)]


def down(to: str, capacity: int = 0, model: str | None = None, **changes: Any) -> QuotaPolicy:
    """Return a monthly budget of the team, or of the team with `model`, that sends calls on to `to`."""
    quota = make.quota("usd", "month", capacity)
    return replace(
        quota, id=f"{quota.id}_{model}_{to}", step_down_model_id=f"mod_{to}",
        model_id=f"mod_{model}" if model else None, **changes,
    )  # fmt: skip


def ask(gateway: LiveGateway, model: str = LARGE, **more: Any) -> Any:
    return gateway.chat(model=model, max_tokens=100, **more)


def test_a_used_up_budget_sends_calls_to_the_cheaper_model(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=models(upstream), quotas=[down(SMALL)])
    answer = ask(gateway)
    assert answer.status_code == 200
    assert upstream.received[0].json()["model"] == "up-chat-small"
    assert answer.json()["model"] == "up-chat-small", "the provider's own words are not changed"
    assert answer.headers["x-atrium-model"] == SMALL
    assert answer.headers["x-atrium-fallback"] == "true"
    assert answer.headers["x-atrium-model-asked"] == LARGE
    said = "The monthly budget of the team Search does not allow chat-large now, so chat-small answers."
    assert answer.headers["x-atrium-fallback-reason"] == said
    [opened] = gateway.journal.opened
    assert (opened.model_id, opened.price_id, opened.holds) == ("mod_chat-small", "price_chat-small", ())
    assert parse_usd(answer.headers["x-atrium-cost-usd"]) == gateway.journal.closed[0].cost_nano_usd > 0


def test_streams_step_down_too(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=models(upstream), quotas=[down(SMALL)])
    answer = ask(gateway, stream=True)
    assert answer.headers["x-atrium-model"] == SMALL
    assert answer.text.endswith("data: [DONE]\n\n")


def test_until_it_is_used_up_nothing_steps_down(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    budget = down(SMALL, parse_usd("0.0025"))
    upstream.always(Plan(prompt_tokens=10, completion_tokens=90))
    gateway = start_gateway(models=models(upstream), quotas=[budget])
    first, second, third = ask(gateway), ask(gateway), ask(gateway)
    assert [answer.headers["x-atrium-model"] for answer in (first, second, third)] == [LARGE, SMALL, SMALL]
    assert "x-atrium-fallback-reason" not in first.headers
    assert first.headers["x-atrium-fallback"] == "false"
    assert second.headers["x-atrium-budget-remaining-usd"] == "0.00149", "what fits is still counted against it"
    assert gateway.money.spent(budget.id) <= budget.capacity


def test_who_asks_for_the_cheaper_model_itself_is_not_refused(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=models(upstream), quotas=[down(SMALL)])
    answer = ask(gateway, SMALL)
    assert (answer.status_code, answer.headers["x-atrium-fallback"]) == (200, "false")
    gateway.reconfigure([down(MEDIUM)])
    assert ask(gateway, SMALL).headers["x-atrium-model"] == SMALL, "nothing steps up"


def test_another_quota_without_step_down_still_caps_money(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(prompt_tokens=20, completion_tokens=100))
    cap = make.quota("usd", "month", 5 * 12_000 + 9_000, ("organisation", "org_1"))  # some calls of 120 tokens
    gateway = start_gateway(models=models(upstream), quotas=[down(SMALL), cap])
    with ThreadPoolExecutor(16) as pool:
        statuses = [one.status_code for one in pool.map(lambda _: ask(gateway), range(60))]
    assert set(statuses) == {200, 402}
    assert gateway.money.spent(cap.id) == sum(closed.cost_nano_usd for closed in gateway.journal.closed)
    assert gateway.money.spent(cap.id) <= cap.capacity
    assert gateway.money.held(cap.id) == 0
    assert ask(gateway).json()["error"]["code"] == "budget_exhausted"


def test_a_pair_with_the_cheaper_model_caps_what_comes_after(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    pair = replace(make.quota("requests", "day", 2), id="pair", model_id="mod_chat-small")
    gateway = start_gateway(models=models(upstream), quotas=[down(SMALL), pair])
    assert [ask(gateway).status_code for _ in range(3)] == [200, 200, 429]


def test_a_pair_counts_its_model_alone(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    pair = replace(make.quota("requests", "day", 1), id="pair", model_id="mod_chat-large")
    gateway = start_gateway(models=models(upstream), quotas=[pair])
    assert [ask(gateway, model).status_code for model in (SMALL, LARGE, LARGE, SMALL, MEDIUM)] == [
        200,
        200,
        429,
        200,
        200,
    ]
    assert "the team Search for this model is 1 requests per day" in ask(gateway).json()["error"]["message"]


@pytest.mark.parametrize("kind", ["organisation", "user", "key"])
def test_every_scope_pairs(start_gateway: StartGateway, upstream: FakeUpstream, kind: str) -> None:
    one = {"organisation": "org_1", "user": "user_1", "key": "key_1"}[kind]
    pair = replace(make.quota("requests", "day", 0, (kind, one)), model_id="mod_chat-large")
    gateway = start_gateway(models=models(upstream), quotas=[pair])
    assert [ask(gateway, model).status_code for model in (SMALL, LARGE)] == [200, 429]


@pytest.mark.parametrize("metric", ["requests", "input_tokens", "output_tokens", "total_tokens", "concurrent"])
def test_rates_step_down_too(start_gateway: StartGateway, upstream: FakeUpstream, metric: str) -> None:
    window = "total" if metric == "concurrent" else "day"
    quota = replace(make.quota(metric, window, 0), step_down_model_id="mod_chat-small")
    gateway = start_gateway(models=models(upstream), quotas=[quota])
    assert ask(gateway).headers["x-atrium-model"] == SMALL


def test_several_steps(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    chain = [down(MEDIUM), down(SMALL, model=MEDIUM)]
    gateway = start_gateway(models=models(upstream), quotas=chain)
    answers = [ask(gateway, model) for model in (LARGE, MEDIUM, SMALL)]
    assert [answer.headers["x-atrium-model"] for answer in answers] == [SMALL, SMALL, SMALL]
    assert answers[0].headers["x-atrium-model-asked"] == LARGE


def test_steps_that_lead_in_a_circle_end_in_the_refusal(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    twin = (Price("price_twin", 0.0, RATES[LARGE], RATES[LARGE]),)
    circle = [down(MEDIUM, model=LARGE), down(LARGE, model=MEDIUM)]
    gateway = start_gateway(models=models(upstream, medium={"prices": twin}), quotas=circle)
    for model in (LARGE, MEDIUM):
        assert ask(gateway, model).json()["error"]["code"] == "budget_exhausted"
    assert not upstream.received
    assert [gateway.money.held(quota.id) for quota in circle] == [0, 0]


@pytest.mark.parametrize(
    ("small", "team", "words"),
    [
        ({"prices": ()}, None, "has no price in force"),
        ({"stage": "retired"}, None, "is retired"),
        ({"deployments": ()}, None, "is served nowhere"),
        ({"capabilities": frozenset({"embeddings"})}, None, "cannot be called at /v1/chat/completions"),
        ({"context_tokens": 1}, None, "takes 1 here"),
        ({"max_output_tokens": 99}, None, "its answers have 99 tokens at most, and 100 were asked for"),
        ({}, frozenset({"mod_chat-large"}), "is not allowed for this key"),
    ],
)
def test_where_the_cheaper_model_cannot_serve_the_refusal_stands_and_says_why(
    start_gateway: StartGateway, upstream: FakeUpstream, small: dict[str, Any], team: frozenset[str] | None, words: str
) -> None:
    offered = models(upstream, small=small)
    who = make.team(offered, **({"model_ids": team} if team is not None else {}))
    gateway = start_gateway(models=offered, team=who, quotas=[down(SMALL)])
    refused = gateway.chat(model=LARGE, max_tokens=100, messages=[{"role": "user", "content": "word " * 40}])
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (402, "budget_exhausted")
    assert "It would go on with chat-small, but cannot:" in error["message"]
    assert words in error["message"]
    assert not upstream.received


def test_a_step_down_that_is_gone_refuses(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(models=models(upstream), quotas=[down("gone")])
    assert ask(gateway).json()["error"]["code"] == "budget_exhausted"


def test_embeddings_do_not_step_down_to_a_model_that_chats(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(
        models=models(upstream), quotas=[replace(make.quota("requests", "day", 0), step_down_model_id="mod_chat-small")]
    )
    refused = gateway.client.post("/v1/embeddings", json={"model": "embed", "input": "Hello."})
    assert refused.status_code == 429
    assert "cannot be called at /v1/embeddings" in refused.json()["error"]["message"]


def test_a_refused_step_gives_back_what_it_took(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    rate = make.quota("requests", "day", 50)
    gateway = start_gateway(models=models(upstream), quotas=[rate, down(SMALL), make.quota("usd", "day", 0)])
    assert [ask(gateway).status_code for _ in range(5)] == [402] * 5
    limits = {one["metric"]: one for one in gateway.client.get("/v1/key").json()["limits"]}
    assert limits["requests"]["left"] == 50


def test_nobody_who_calls_learns_what_the_company_has_left(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    company, own = (
        make.quota("usd", "month", parse_usd("7.77"), ("organisation", "org_1")),
        make.quota("usd", "month", 10**12),
    )
    gateway = start_gateway(models=models(upstream), quotas=[company, own])
    assert ask(gateway).headers["x-atrium-budget-remaining-usd"].startswith("999.9")
    gateway.reconfigure([replace(company, capacity=1)])
    answer = ask(gateway)
    assert "x-atrium-budget-remaining-usd" not in answer.headers
    message = answer.json()["error"]["message"]
    assert message.startswith(
        "The monthly budget of your organisation does not cover this call: it may cost up to 0.00"
    )
    assert "left" not in message
    assert HELLO[0]["content"] not in message


def test_a_key_is_told_its_limits_what_is_left_and_what_happens_then(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    quotas = [
        make.quota("usd", "month", parse_usd("7.77"), ("organisation", "org_1")),
        make.quota("requests", "minute", 60, ("organisation", "org_1")),
        down(SMALL, parse_usd("5"), model=LARGE),
        make.quota("concurrent", "total", 3),
        make.quota("total_tokens", "total", 1000, ("model", "mod_chat-small")),
        make.quota("usd", "day", 1, ("model", "mod_other")),
    ]
    gateway = start_gateway(models=models(upstream), quotas=quotas)
    found = {one["quota_id"]: one for one in gateway.client.get("/v1/key").json()["limits"]}
    assert set(found) == {quota.id for quota in quotas[:-1]}
    company, calls, pair, gauge, tokens = (found[quota.id] for quota in quotas[:-1])
    assert (company["limit"], company["left"], company["at_limit"]) == (None, None, "block")
    assert company["resets_at"] is not None
    assert (calls["limit"], calls["left"], calls["model"]) == (60, 60, None)
    assert (pair["scope"], pair["model"], pair["left"]) == ("team", LARGE, "5.00")
    assert (pair["at_limit"], pair["step_down_model"]) == ("step_down", SMALL)
    assert (gauge["left"], gauge["resets_at"]) == (3, None)
    assert (tokens["scope"], tokens["model"], tokens["left"], tokens["resets_at"]) == ("model", SMALL, 1000, None)


def test_editing_what_is_not_the_limit_forgets_no_count(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    quotas = [make.quota("requests", "day", 2), make.quota("usd", "month", 10**9), make.quota("concurrent", "total", 1)]
    gateway = start_gateway(models=models(upstream), quotas=quotas)
    assert ask(gateway).status_code == 200
    spent = gateway.money.spent(quotas[1].id)
    assert spent > 0
    gateway.reconfigure([replace(quota, step_down_model_id="mod_chat-small") for quota in quotas])
    left = {one["metric"]: one["left"] for one in gateway.client.get("/v1/key").json()["limits"]}
    assert (left["requests"], parse_usd(left["usd"]), left["concurrent"]) == (1, 10**9 - spent, 1)
    assert [ask(gateway).headers["x-atrium-model"] for _ in range(2)] == [LARGE, SMALL]


def test_which_model_is_cheaper_is_a_matter_of_prices_alone(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    """A cheap model with longer answers and a wider window can have the higher bound, and a caller chooses what counts."""
    upstream.always(Plan(prompt_tokens=900, completion_tokens=900))
    dear = make.model(
        "dear", make.deployment(upstream.url, id="dep_dear"), max_output_tokens=4_096, context_tokens=8_192,
        prices=(Price("p_dear", 0.0, 30_000_000_000, 30_000_000_000),),
    )  # fmt: skip
    cheap = make.model(
        "cheap", make.deployment(upstream.url, id="dep_cheap"), max_output_tokens=64_000, context_tokens=1_000_000,
        prices=(Price("p_cheap", 0.0, 1_000_000_000, 1_000_000_000),),
    )  # fmt: skip
    budget = replace(make.quota("usd", "month", parse_usd("0.01")), step_down_model_id=cheap.id)
    gateway = start_gateway(models=[dear, cheap], quotas=[budget])
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    for more in ({}, {"max_tokens": 1_000, "messages": [{"role": "user", "content": [picture]}]}):
        answers = [gateway.chat(model="dear", **more) for _ in range(3)]
        assert [answer.headers.get("x-atrium-model") for answer in answers] == ["cheap"] * 3
