"""Reservations: what is refused, what it says, and that nothing is charged for it."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from gateway.errors import StoreUnavailable
from gateway.money import parse_usd
from gateway.quotas.interface import Demand
from gateway.stages.limit import demand_of
from gateway.types import Grant, ParsedRequest, Principal
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan


def test_a_rate_is_429_with_a_time_to_wait(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(quotas=[make.quota("requests", "day", 2)])
    first = gateway.chat()
    assert (first.headers["x-ratelimit-limit-requests"], first.headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert re.fullmatch(r"\d+h\d+m\d+s|\d+m\d+s|\d+s", first.headers["x-ratelimit-reset-requests"])
    assert gateway.chat().status_code == 200
    refused = gateway.chat()
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (429, "rate_limit_exceeded", "rate_limit_error")
    assert int(refused.headers["retry-after"]) >= 1
    assert "x-should-retry" not in refused.headers
    assert "kind=rate&quota=quota_team_requests_day&key=key_1" in error["portal_url"]
    assert "team Search is 2 requests per day" in error["message"]
    assert len(upstream.received) == 2


def test_counting_a_prompt_here_is_a_request_that_costs_nothing(start_gateway: StartGateway) -> None:
    quotas = [make.quota("requests", "day", 2), make.quota("usd", "month", 1), make.quota("input_tokens", "day", 1)]
    gateway = start_gateway(quotas=quotas)
    words = "All work and no play makes a long prompt. " * 12_000  # half a megabyte
    body = {"model": "chat-small", "messages": [{"role": "user", "content": words}]}
    counted = [gateway.client.post("/v1/messages/count_tokens", json=body) for _ in range(3)]
    assert [answer.status_code for answer in counted] == [200, 200, 429]
    assert counted[0].json()["input_tokens"] > 100_000
    refused = counted[2]
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) >= 1
    assert "quota_team_requests_day" in refused.json()["error"]["portal_url"]
    assert not gateway.journal.records


def test_a_budget_is_402_and_names_what_is_left(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(quotas=[make.quota("usd", "month", parse_usd("0.003"))])
    upstream.always(Plan(prompt_tokens=10, completion_tokens=1000))
    assert gateway.chat(max_tokens=1000).headers["x-atrium-budget-remaining-usd"] == "0.0023985"
    refused = gateway.chat()  # 4096 tokens of output could cost 0.0024576
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (402, "budget_exhausted", "insufficient_quota")
    assert refused.headers["x-should-retry"] == "false"
    assert "0.0023985 USD of 0.003 USD are left" in error["message"]
    assert "kind=budget&quota=quota_team_usd_month&key=key_1" in error["portal_url"]
    assert len(gateway.journal.closed) == 1
    assert gateway.chat(max_tokens=100).status_code == 200


def test_a_refusal_of_money_gives_the_rate_back(start_gateway: StartGateway) -> None:
    rate = make.quota("requests", "day", 5)
    gateway = start_gateway(quotas=[rate, make.quota("usd", "month", 1)])
    for _ in range(8):
        assert gateway.chat().status_code == 402
    limits = {item["metric"]: item for item in gateway.client.get("/v1/key").json()["limits"]}
    assert limits["requests"]["left"] == 5


@pytest.mark.parametrize("metric", ["input_tokens", "output_tokens", "total_tokens"])
def test_unused_tokens_are_given_back(start_gateway: StartGateway, upstream: FakeUpstream, metric: str) -> None:
    gateway = start_gateway(quotas=[make.quota(metric, "day", 10_000)])
    upstream.always(Plan(prompt_tokens=20, completion_tokens=30))
    assert gateway.chat().status_code == 200
    [limit] = gateway.client.get("/v1/key").json()["limits"]
    assert 10_000 - limit["left"] == {"input_tokens": 20, "output_tokens": 30, "total_tokens": 50}[metric]


def test_concurrency_is_held_for_the_time_of_the_call(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(quotas=[make.quota("concurrent", "total", 2)])
    upstream.always(Plan(delay=0.5))
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: gateway.chat(), range(4)))
    assert statuses == [200, 200, 429, 429]
    upstream.always(Plan())
    assert [gateway.chat().status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "scope",
    [("organisation", "org_1"), ("team", "team_1"), ("user", "user_1"), ("key", "key_1"), ("model", "mod_chat-small")],
)
def test_each_scope_counts(start_gateway: StartGateway, scope: tuple[str, str]) -> None:
    gateway = start_gateway(quotas=[make.quota("requests", "day", 1, scope)])
    assert [gateway.chat().status_code for _ in range(2)] == [200, 429]


def test_quotas_of_the_key_itself_and_of_its_application_count(start_gateway: StartGateway) -> None:
    own = make.quota("requests", "day", 1, ("key", "key_2"))
    gateway = start_gateway(quotas=[make.quota("requests", "hour", 1, ("application", "app_1"))])
    by_key = gateway.http(gateway.keys.add(make.key_entry("key_2", quotas=(own,))))
    by_application = gateway.http(gateway.keys.add(make.key_entry("key_3", application_id="app_1")))
    for client in (by_key, by_application):
        statuses = [
            client.post("/v1/chat/completions", json={"model": "chat-small", "messages": HELLO}).status_code
            for _ in range(2)
        ]
        assert statuses == [200, 429]


def test_another_teams_quota_does_not(start_gateway: StartGateway) -> None:
    gateway = start_gateway(quotas=[make.quota("requests", "day", 0, ("team", "team_2"))])
    assert gateway.chat().status_code == 200


def test_many_at_once_never_pass_a_budget_and_use_it_up(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(prompt_tokens=100, completion_tokens=100, delay=0.05))
    body = {"model": "chat-small", "messages": HELLO, "max_tokens": 100}
    cost = 75_000  # 100 × 0.15 + 100 × 0.60 USD per million
    budget = make.quota("usd", "month", 10 * cost + 20_000)
    gateway = start_gateway(quotas=[budget])
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: gateway.client.post("/v1/chat/completions", json=body), range(200)))
    assert {answer.status_code for answer in answers} == {200, 402}
    assert gateway.money.spent(budget.id) == sum(closed.cost_nano_usd for closed in gateway.journal.closed)
    assert gateway.money.spent(budget.id) <= budget.capacity
    assert sum(answer.status_code == 200 for answer in answers) == 10
    assert gateway.money.held(budget.id) == 0


def test_what_never_fits_says_so(start_gateway: StartGateway) -> None:
    gateway = start_gateway(quotas=[make.quota("output_tokens", "minute", 100)])
    refused = gateway.chat()
    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    assert "this call alone may use 4,096" in refused.json()["error"]["message"]
    assert gateway.chat(max_tokens=100).status_code == 200


def test_money_that_cannot_be_asked_is_503_and_nothing_is_held(start_gateway: StartGateway) -> None:
    gateway = start_gateway(quotas=[make.quota("usd", "month", 10**9), make.quota("requests", "day", 5)])

    async def away(asks: object) -> None:
        raise StoreUnavailable("the ledger of budgets")

    gateway.money.in_hand = lambda basket, amounts: None  # type: ignore[method-assign]
    gateway.money.take = away  # type: ignore[method-assign, assignment]
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    del gateway.money.take, gateway.money.in_hand
    limits = {item["metric"]: item["left"] for item in gateway.client.get("/v1/key").json()["limits"]}
    assert limits == {"usd": "1.00", "requests": 5}


def test_a_journal_that_cannot_be_written_means_no_dial(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(quotas=[make.quota("usd", "month", 10**9), make.quota("requests", "day", 5)])
    gateway.journal.broken = True
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "journal_unavailable")
    assert not upstream.received
    limits = {item["metric"]: item["left"] for item in gateway.client.get("/v1/key").json()["limits"]}
    assert limits == {"usd": "1.00", "requests": 5}


def test_a_close_that_cannot_be_journaled_keeps_its_hold(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    budget = make.quota("usd", "month", 10**9)
    gateway = start_gateway(quotas=[budget])
    upstream.script(Plan(delay=0.4))
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(gateway.chat)
        until(lambda: gateway.journal.opened)
        gateway.journal.broken = True
        assert pending.result().status_code == 200
    assert gateway.money.held(budget.id) == gateway.journal.opened[0].bound_nano_usd
    assert gateway.observed.alarms == [("close_not_journaled", gateway.journal.opened[0].request_id)]


def test_a_provider_that_overruns_is_charged_and_alarmed(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=10, completion_tokens=5000))
    gateway.chat(max_tokens=10)
    assert gateway.journal.closed[0].cost_nano_usd == 3_001_500
    assert gateway.observed.alarms[0][0] == "bound_exceeded"


def demand(request: dict[str, object], **changes: object) -> Demand:
    """Return the bound of a made-up request to a made-up model."""
    policy = make.model("m", **changes)
    values = {"choices": 1, "output_cap": None, "prompt_bound": 1000, "window_bound": False} | request
    parsed = ParsedRequest(members=None, model="m", streamed=False, usage_wanted=False, **values)  # type: ignore[arg-type]
    who = Principal(make.key_entry(), make.team([policy]))
    grant = Grant(make.snapshot([policy], [who.team]), who, policy, policy.prices[0], parsed)
    return demand_of(grant, has_output=True, cap=policy.max_output_tokens)


def test_bounds() -> None:
    assert demand({}) == Demand(1, 1000, 4096, 150_000 + 2_457_600)
    assert demand({"output_cap": 10, "choices": 3}).output_tokens == 30
    assert demand({"output_cap": 10, "choices": 3, "extra_output_bound": 7}).output_tokens == 51
    assert demand({"output_cap": 10**9}).output_tokens == 128_000
    assert demand({"prompt_bound": 10**9}).input_tokens == 128_000
    assert demand({"window_bound": True}).input_tokens == 128_000
    assert demand({}, max_output_tokens=0).output_tokens == 128_000
    dear = replace(make.PRICE, cache_write=10**9, request=7)
    assert demand({"output_cap": 1}, prices=(dear,)).nano_usd == 1_000_000 + 600 + 7


def test_the_rate_of_a_refused_client_error_is_not_money(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    budget = make.quota("usd", "month", 10**9)
    gateway = start_gateway(quotas=[budget])
    upstream.script(Plan(status=400))
    answer: httpx.Response = gateway.chat()
    assert answer.status_code == 400
    assert (gateway.money.spent(budget.id), gateway.money.held(budget.id)) == (0, 0)


def test_a_prompt_beyond_the_window_is_refused_before_it_is_dialled(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = start_gateway(models=[make.model("chat-small", make.deployment(upstream.url), context_tokens=100)])
    fits = [{"role": "user", "content": "word " * 60}]  # 300 bytes, about 68 tokens
    assert gateway.chat(messages=fits).status_code == 200
    refused = gateway.chat(messages=[{"role": "user", "content": "word " * 150}])
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "messages")
    assert "takes 100 here" in error["message"]
    assert len(upstream.received) == 1
