"""Embeddings, the list of models, and what a key may know about itself."""

import time

import pytest

from gateway.dialects import registry
from gateway.endpoints import ENDPOINTS, INVOKE_EMBED, Endpoint, resolve
from gateway.money import parse_usd
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan


def test_embeddings_pass_and_are_charged(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=1000))
    body = {"model": "embed-small", "input": ["one", "two"], "dimensions": 4, "encoding_format": "float", "user": "u"}
    answer = gateway.client.post("/v1/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    assert [len(item["embedding"]) for item in answer.json()["data"]] == [4, 4]
    assert upstream.received[0].target == "/v1/embeddings"
    assert upstream.received[0].json() == body | {"model": "gpt-4o-mini"}
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    assert (opened.endpoint, opened.bound_output_tokens, opened.bound_input_tokens) == ("embeddings", 0, 13)
    assert (closed.input_tokens, closed.output_tokens, closed.cost_nano_usd) == (1000, 0, 150_000)


def test_embeddings_without_usage_are_counted(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(usage="none"), Plan(usage="none"))
    for given, tokens in (("one two three", 3), ([[1, 2, 3], [4, 5]], 5)):
        gateway.client.post("/v1/embeddings", json={"model": "embed-small", "input": given})
        assert (gateway.journal.closed[-1].input_tokens, gateway.journal.closed[-1].estimated) == (tokens, True)


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"input": None}, "input"), ({"input": ""}, "input"), ({"input": []}, "input"), ({"stream": True}, "stream")],
)
def test_embeddings_that_are_wrong(gateway: LiveGateway, changes: dict[str, object], param: str) -> None:
    answer = gateway.client.post("/v1/embeddings", json={"model": "embed-small", "input": "x", **changes})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_model_by_its_slug_which_may_hold_slashes(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    place = make.deployment(upstream.url)
    gateway = start_gateway(models=[make.model("acme/chat-1", place)])
    found = gateway.client.get("/v1/models/acme/chat-1")
    assert found.status_code == 200
    assert found.json()["id"] == "acme/chat-1"
    assert found.json()["object"] == "model"
    assert found.json()["retires_at"] is None
    missing = gateway.client.get("/v1/models/acme/chat-2")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_a_key_sees_what_it_may_do_and_what_is_left(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    quotas = [make.quota("usd", "month", parse_usd("50")), make.quota("requests", "minute", 600, ("key", "key_1"))]
    gateway = start_gateway(quotas=quotas)
    upstream.script(Plan(prompt_tokens=1_000_000, completion_tokens=0))
    gateway.chat()
    seen = gateway.client.get("/v1/key").json()
    assert (seen["id"], seen["display"], seen["status"]) == ("key_1", "atp_…a1b2", "active")
    assert seen["team"] == {"id": "team_1", "slug": "search", "name": "Search"}
    assert seen["models"] == ["chat-small", "embed-small"]
    assert seen["portal_url"] == f"{make.PORTAL}/keys/key_1"
    money, rate = seen["limits"]
    assert (money["limit"], money["left"], money["window"]) == ("50.00", "49.85", "month")
    assert (rate["scope"], rate["limit"], rate["left"]) in {("key", 600, 599), ("key", 600, 600)}  # a minute may end
    assert money["resets_at"].endswith("-01T00:00:00Z")
    assert time.strptime(seen["expires_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert gateway.secret not in str(seen)


def test_a_key_over_budget_still_sees_itself(start_gateway: StartGateway) -> None:
    gateway = start_gateway(quotas=[make.quota("usd", "month", 0), make.quota("requests", "day", 0)])
    assert gateway.chat().status_code in {402, 429}
    assert gateway.client.get("/v1/key").status_code == 200
    assert gateway.client.get("/v1/models").status_code == 200


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, INVOKE_EMBED], ids=lambda endpoint: endpoint.name)
def test_what_can_spend_is_read_and_metered(endpoint: Endpoint) -> None:
    if not endpoint.capability:
        assert endpoint.method == "GET" or endpoint.kind == "kept", "nothing is made by reading"
        return
    service = registry.service_of(endpoint)
    lanes = [registry.lane_of(endpoint, make.deployment("", dialect=dialect)) for dialect in registry.PROVIDERS]
    assert any(lanes) or service.counted is not None


@pytest.mark.parametrize(
    ("path", "query", "name", "target"),
    [
        ("/v1/models/qwen3:latest", b"", "models.get", "qwen3:latest"),
        ("/v1/models/a/b:generateContent", b"", "gemini.generate", "a/b"),
        ("/v1beta/models/g:streamGenerateContent", b"key=k&alt=sse", "gemini.stream", "g"),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/g:countTokens", b"", "gemini.count_tokens", "g"),
        ("/v1/publishers/google/models/g:embedContent", b"", "gemini.embed", "g"),
    ],
)
def test_a_path_that_holds_a_model(path: str, query: bytes, name: str, target: str) -> None:
    method = "GET" if name == "models.get" else "POST"
    endpoint, found = resolve(method, path, {}, query)
    assert (endpoint.name, found) == (name, target)
