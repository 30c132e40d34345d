"""Where calls go: rules, sessions, canaries, aliases; and where they never go."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.routing.policy import Alias, Canary, Condition, Rule
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.gateway.ways import model, place, providers
from tests.upstream import FakeUpstream, Plan


@pytest.fixture
def pair() -> Iterator[list[FakeUpstream]]:
    with providers(2) as found:
        yield found


def both(pair: list[FakeUpstream], route: dict[str, Any], **changes: Any) -> Any:
    """Return one model at both providers: a in the EU, b in the US."""
    places = [place(one, name, region=where) for one, name, where in zip(pair, "ab", ("eu", "us"), strict=True)]
    return model("chat-small", *places, route={"retries": 0} | route, **changes)


def ask(gateway: LiveGateway, headers: dict[str, str] | None = None, **more: Any) -> Any:
    body = {"model": "chat-small", "messages": HELLO, **more}
    return gateway.client.post("/v1/chat/completions", json=body, headers=headers or {})


def where(gateway: LiveGateway, headers: dict[str, str] | None = None, **more: Any) -> str:
    return str(ask(gateway, headers, **more).headers["x-atrium-deployment"])


def test_rules_send_calls_by_what_they_say_of_themselves(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    rules = (
        Rule("long", Condition(least_prompt_tokens=2_000), frozenset({"dep_b"})),
        Rule("batch", Condition(metadata=(("kind", "batch"),)), frozenset({"dep_b"})),
        Rule("careful", Condition(data_classes=frozenset({"internal"})), regions=frozenset({"eu"})),
    )
    gateway = start_gateway(models=[both(pair, {"rules": rules, "order": ("dep_b", "dep_a")})])
    assert where(gateway) == "dep_b"
    assert where(gateway, {"x-atrium-data-class": "internal"}) == "dep_a"
    assert where(gateway, {"x-atrium-metadata": '{"kind": "batch"}', "x-atrium-data-class": "internal"}) == "dep_b"
    said = {"kind": "batch", "team": "x"}  # OpenAI's own member, which a header of ours goes before
    assert where(gateway, {"x-atrium-data-class": "internal"}, metadata=said) == "dep_b"
    both_said = {"x-atrium-metadata": '{"kind": "chat"}', "x-atrium-data-class": "internal"}
    assert where(gateway, both_said, metadata=said) == "dep_a"
    long = [{"role": "user", "content": "word " * 500}]
    assert where(gateway, {"x-atrium-data-class": "internal"}, messages=long) == "dep_b"


def test_a_rule_that_leaves_nothing_says_so(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair, {"rules": (Rule("nowhere", Condition(), frozenset({"gone"})),)})])
    refused = ask(gateway)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
    assert 'The rule "nowhere"' in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-atrium-metadata", "[]"), ("x-atrium-metadata", '{"a": 1}'), ("x-atrium-data-class", "top secret")],
)
def test_headers_that_cannot_be_understood_are_400(gateway: LiveGateway, name: str, value: str) -> None:
    refused = ask(gateway, {name: value})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, name)


@pytest.mark.parametrize("name", ["x-atrium-session", "x-claude-code-session-id"])
def test_sessions_stay_where_they_are(start_gateway: StartGateway, pair: list[FakeUpstream], name: str) -> None:
    gateway = start_gateway(models=[both(pair, {"strategy": "sticky"})])
    first = {str(number): where(gateway, {name: str(number)}) for number in range(12)}
    assert set(first.values()) == {"dep_a", "dep_b"}
    assert {session: where(gateway, {name: session}) for session in first} == first


def test_sensitive_data_goes_only_where_it_may(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    policy = both(pair, {"order": ("dep_b", "dep_a")}, data_classes=frozenset({"public", "internal", "confidential"}))
    a, b = policy.deployments
    policy = replace(policy, deployments=(a, replace(b, data_classes=frozenset({"public", "internal"}))))
    gateway = start_gateway(models=[policy])
    found = [where(gateway, {"x-atrium-data-class": one}) for one in ("public", "internal", "confidential")]
    assert found == ["dep_b", "dep_b", "dep_a"]
    for floor, at in (("confidential", "dep_a"), ("internal", "dep_b")):  # of a key, or its application
        careful = gateway.keys.add(make.key_entry(f"key_{floor}", data_floor=floor))
        assert where(gateway, {"x-atrium-data-class": "public", "authorization": f"Bearer {careful}"}) == at
    refused = ask(gateway, {"x-atrium-data-class": "restricted"})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (403, "route_not_allowed", "model")
    assert "the model may see public, internal and confidential data only" in error["message"]
    assert "/requests/new?kind=model&model=chat-small" in error["portal_url"]
    assert refused.headers["x-should-retry"] == "false"


def test_a_call_cannot_lower_the_class_of_its_data(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    policy = both(pair, {}, tier="production", data_classes=frozenset({"public"}))
    gateway = start_gateway(models=[policy])
    refused = ask(gateway, {"x-atrium-data-class": "public"})
    assert refused.status_code == 403
    assert "counts as internal data" in refused.json()["error"]["message"]


def test_a_model_of_which_nothing_was_decided_sees_nothing_confidential(gateway: LiveGateway) -> None:
    assert [ask(gateway, {"x-atrium-data-class": one}).status_code for one in ("internal", "confidential")] == [
        200,
        403,
    ]


def test_regions_are_never_left(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair, {"regions": frozenset({"eu"}), "retries": 3})])
    pair[0].script(*[Plan(status=500, headers={"retry-after-ms": "1"})] * 4)
    assert ask(gateway).status_code == 500
    assert not pair[1].received
    gateway.configure(make.snapshot([both(pair, {"regions": frozenset({"ch"})})], [gateway.team]))
    refused = ask(gateway)
    assert refused.status_code == 403
    assert "a is in eu, and this call may be served in ch only" in refused.json()["error"]["message"]


CANARY = Canary("dep_b", 30.0, stop_at_error_rate=0.2, least_calls=10)


def test_a_canary_gets_its_share_alone(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair, {"strategy": "weighted", "canary": CANARY})])
    drawn = Counter(where(gateway) for _ in range(300))
    assert 60 <= drawn["dep_b"] <= 125


def test_a_canary_stops_when_too_many_calls_fail_until_somebody_starts_it_again(
    start_gateway: StartGateway, pair: list[FakeUpstream]
) -> None:
    gateway = start_gateway(models=[both(pair, {"canary": replace(CANARY, percent=100.0), "retries": 1})])
    pair[1].always(Plan(status=404))
    for _ in range(40):
        ask(gateway)
    assert len(pair[1].received) == 10, "no more than it takes to know"
    assert gateway.observed.alarms == [("canary_stopped", "dep_b")]
    assert where(gateway) == "dep_a"
    again = both(pair, {"canary": replace(CANARY, percent=100.0, since=7.0)})
    gateway.configure(make.snapshot([again], [gateway.team]))
    ask(gateway)
    assert len(pair[1].received) == 11


def test_a_canary_is_not_to_blame_for_what_callers_send(start_gateway: StartGateway, pair: list[FakeUpstream]) -> None:
    gateway = start_gateway(models=[both(pair, {"canary": replace(CANARY, percent=100.0)})])
    pair[1].always(Plan(status=400))
    assert {ask(gateway).status_code for _ in range(15)} == {400}
    assert len(pair[1].received) == 15


def test_an_alias_is_another_name(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway()
    shown = replace(
        make.snapshot(gateway.models, [gateway.team]),
        aliases={
            "claude-default": Alias("claude-default", "mod_chat-small", 0.0),
            "embed-small": Alias("embed-small", "mod_chat-small", 0.0),
            "lost": Alias("lost", "mod_gone", 0.0),
        },
    )
    gateway.configure(shown)
    answer = ask(gateway, model="claude-default")
    assert (answer.status_code, answer.headers["x-atrium-model"]) == (200, "chat-small")
    assert upstream.received[-1].json()["model"] == "gpt-4o-mini"
    listed = [one["id"] for one in gateway.client.get("/v1/models").json()["data"]]
    assert listed == ["chat-small", "claude-default", "embed-small"], "the slug of a model wins"
    assert gateway.client.get("/v1/models/claude-default").json()["id"] == "claude-default"
    assert gateway.client.get("/v1/models/lost").status_code == 404
    assert ask(gateway, model="lost").status_code == 404
    assert ask(gateway, model="embed-small").json()["error"]["code"] == "endpoint_not_supported"
