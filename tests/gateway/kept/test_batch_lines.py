"""A batch's lines: each is checked, bounded and written as a call of its own would be; what they used is added up."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import GatewayError, ModelNotFoundError, PolicyError, RequestError
from gateway.kept.records import Wish
from gateway.routing.bounds import UNBOUND
from gateway.routing.policy import Condition, RoutePolicy, Rule
from gateway.stages.batch_input import Checked, checked
from gateway.stages.batch_use import Tally, completed_of
from gateway.stages.meter import cost
from gateway.types import Principal, Usage
from tests.factories import gateway as make

PLACE = make.deployment("http://x", options={"profile": "openai"}, upstream_model="gpt-5")
ELSEWHERE = make.deployment("http://y", id="dep_2", provider_id="prov_2")
MODELS = [make.model("native", ELSEWHERE, PLACE), make.model("other", PLACE), make.model("away", ELSEWHERE)]
CHAT = {"model": "native", "messages": [{"role": "user", "content": "Hi"}]}


def line(body: dict[str, Any] = CHAT, url: str = "/v1/chat/completions", **more: Any) -> str:
    """Return a line."""
    return json.dumps({"custom_id": "1", "method": "POST", "url": url, "body": body} | more)


def read(*lines: str, team: Any = None, wish: Wish = Wish(True, policy="usual")) -> Checked:  # noqa: B008  # frozen
    """Check these lines as a key's of this team."""
    snapshot = make.snapshot(MODELS, [make.team(MODELS)])
    principal = Principal(make.key_entry(), team or make.team(MODELS))
    return checked("\n".join(lines).encode(), principal, snapshot, 1.0, UNBOUND, wish)


def test_each_line_is_bounded_and_names_the_model_as_its_provider_does() -> None:
    capped = line(CHAT | {"max_tokens": 10, "n": 2})
    one, other, both = read(line()), read(capped), read(line(), "", capped, "")
    assert both.place == PLACE and both.bill.lines == 2  # not the first place, which takes no batches
    assert both.bill.nano_usd == one.bill.nano_usd + other.bill.nano_usd > 0
    assert (one.bill.output_tokens, other.bill.output_tokens) == (4096, 20)
    first, second = (json.loads(sent)["body"] for sent in both.data.splitlines())
    assert first == CHAT | {"model": "gpt-5", "max_completion_tokens": 4096}
    assert second["model"] == "gpt-5" and second["max_tokens"] == 10
    response = read(line({"model": "native", "input": "Hi"}, "/v1/responses"))
    assert json.loads(response.data)["body"]["store"] is False  # of a batch its output is kept, not each response


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "no lines"), ([line(), "{"], "Line 2"), ([line(more=1)], "Line 1"), ([line(method="GET")], "POST"),
        ([line(url="/v1/images/generations")], "url"), ([line(), line(CHAT | {"model": "other"})], "one model"),
        ([line(CHAT | {"stream": True})], "streamed"), ([line(CHAT | {"max_tokens": 5000})], "4,096"),
        ([line(CHAT | {"web_search_options": {}})], "web_search_options"),
        ([line({"model": "native", "input": "Hi", "background": True}, "/v1/responses")], "nothing that is kept"),
        ([line({"model": "native", "input": "Hi", "previous_response_id": "r"}, "/v1/responses")], "nothing that is"),
        ([line(CHAT | {"model": "away"})], "takes batches"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_call_is_refused_by_its_number(lines: list[str], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        read(*lines)


def test_who_may_not_call_a_model_may_not_have_it_called_in_a_batch() -> None:
    found: list[type[GatewayError]] = []
    for team, model in ((make.team([]), "native"), (make.team(MODELS), "unknown")):
        with pytest.raises(GatewayError) as refused:
            read(line(CHAT | {"model": model}), team=team)
        found.append(type(refused.value))
    assert found == [PolicyError, ModelNotFoundError]
    with pytest.raises(RequestError, match="takes batches"):
        read(line(), wish=Wish(True, policy="never"))


def answer(usage: Any, status: int = 200) -> bytes:
    """Return a line of an output."""
    response = {"status_code": status, "body": {"usage": usage}}
    return json.dumps({"custom_id": "1", "response": response, "error": None}).encode()


def test_what_lines_used_is_added_up_at_the_price_of_batches() -> None:
    tally = Tally("/v1/chat/completions", make.PRICE)
    told = {"prompt_tokens": 101, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40}}
    for one in (answer(told), b"", answer(told), answer(None, 400), b'{"response": null, "error": {"code": "x"}}'):
        tally.add(one)
    used = Usage(101, 40, 0, 20)
    assert (tally.answered, tally.untold, tally.usage) == (2, 0, Usage(202, 80, 0, 40))
    assert tally.cost_nano_usd == cost(used, make.PRICE)  # half of two
    for one in (answer(None), b"{not json"):
        tally.add(one)
    assert (tally.answered, tally.untold) == (4, 2)
    assert [completed_of(one) for one in ({}, {"request_counts": {"completed": 4}})] == [0, 4]


def test_rules_of_the_route_hold_for_batches_too() -> None:
    near, far = replace(PLACE, id="dep_eu", region="eu"), replace(PLACE, region="us")
    wanted = Rule("people's data", Condition(metadata=(("topic", "people"),)), regions=frozenset({"eu"}))
    model = make.model("native", far, near, route=RoutePolicy(rules=(wanted,)))
    snapshot, principal = make.snapshot([model], []), Principal(make.key_entry(), make.team([model]))

    def place_of(metadata: dict[str, str]) -> str:
        wish = Wish(True, policy="usual")
        return checked(line().encode(), principal, snapshot, 1.0, UNBOUND, wish, metadata).place.id

    assert (place_of({}), place_of({"topic": "people"})) == (far.id, near.id)
