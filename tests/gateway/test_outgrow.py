"""A provider that ignores the output cap: its stream is topped up while there is money, and ended in words when not."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.money import parse_usd
from gateway.stages.outgrow import has_outgrown, next_room, room_of
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.upstream import FakeUpstream, Plan

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa " * 60  # 600 words, some 900 tokens
LONG = WORDS * 6


def said(stream: str) -> str:
    """Return the text that a stream carried."""
    chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    parts = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", [])]
    return "".join(parts)


def test_an_answer_that_outgrows_its_budget_ends_with_a_budget_error(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    budget = make.quota("usd", "month", parse_usd("0.0003"))  # the prompt, and 400 tokens or so
    gateway = start_gateway(quotas=[budget])
    upstream.script(Plan(text=LONG, usage="none"))
    answer = gateway.chat(stream=True, max_tokens=50)
    assert answer.status_code == 200
    assert b"[DONE]" not in answer.content
    events = [line for line in answer.text.split("\n\n") if line]
    error = json.loads(events[-1].removeprefix("data: "))["error"]
    assert (error["code"], error["type"], error["source"]) == ("budget_exhausted", "insufficient_quota", "gateway")
    assert error["message"].startswith(
        "The answer went on beyond the tokens that it was allowed, so it ends here. The monthly"
    )
    assert "kind=budget" in error["portal_url"]
    assert 0 < len(said(answer.text)) < len(LONG) / 4
    [closed] = gateway.journal.closed
    assert (closed.status, closed.code, closed.estimated) == (402, "budget_exhausted", True)
    assert closed.output_tokens > 50, "what was made is charged"
    assert gateway.money.held(budget.id) == 0
    assert gateway.money.spent(budget.id) == closed.cost_nano_usd


def test_an_answer_that_outgrows_its_bound_is_topped_up_while_there_is_money(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    budget, tokens = make.quota("usd", "month", parse_usd("1")), make.quota("total_tokens", "day", 100_000)
    calls = make.quota("requests", "day", 10)
    gateway = start_gateway(quotas=[budget, tokens, calls])
    upstream.script(Plan(text=LONG))
    answer = gateway.chat(stream=True, max_tokens=50)
    assert said(answer.text) == LONG
    assert answer.text.endswith("data: [DONE]\n\n")
    [closed] = gateway.journal.closed
    assert closed.status == 200
    assert gateway.money.spent(budget.id) == closed.cost_nano_usd > parse_usd("0.0002")
    assert gateway.money.held(budget.id) == 0
    assert not gateway.observed.alarms, "what was topped up is within its bound"
    left = {one["metric"]: one["left"] for one in gateway.client.get("/v1/key").json()["limits"]}
    assert left["total_tokens"] == 100_000 - closed.input_tokens - closed.output_tokens
    assert left["requests"] == 9


@pytest.mark.parametrize("metric", ["output_tokens", "total_tokens"])
def test_token_limits_end_it_too(start_gateway: StartGateway, upstream: FakeUpstream, metric: str) -> None:
    gateway = start_gateway(quotas=[make.quota(metric, "day", 400)])
    upstream.script(Plan(text=LONG, usage="none"))
    answer = gateway.chat(stream=True, max_tokens=50)
    assert '"code":"rate_limit_exceeded"' in answer.text.replace(": ", ":")
    assert b"[DONE]" not in answer.content
    assert gateway.journal.closed[0].code == "rate_limit_exceeded"


def test_a_quota_that_the_call_stepped_down_from_is_not_asked_again(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    used_up = replace(make.quota("usd", "month", 0), step_down_model_id="mod_chat-small")
    gateway = start_gateway(quotas=[used_up])
    upstream.script(Plan(text=LONG))
    answer = gateway.chat(stream=True, max_tokens=50)
    assert said(answer.text) == LONG
    assert gateway.money.spent(used_up.id) == 0


def test_an_answer_within_its_cap_is_left_alone(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    budget = make.quota("usd", "month", parse_usd("0.00067"))  # just enough for the prompt and 1,000 tokens
    gateway = start_gateway(quotas=[budget])
    upstream.script(Plan(text=WORDS))
    answer = gateway.chat(stream=True, max_tokens=1000)
    assert said(answer.text) == WORDS
    assert gateway.journal.closed[0].status == 200


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_next_count_comes_always_and_never_too_soon(bound: int, made: int, size: int) -> None:
    assert not has_outgrown(min(made, bound), bound), (
        "who keeps to the cap is never topped up, even miscounted a little"
    )
    assert next_room(size, made, bound) >= size + 4096
    assert room_of(bound) >= bound
