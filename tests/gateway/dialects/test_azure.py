"""Azure OpenAI: its addresses, its ways of telling who calls, and its content filter, through a gateway."""

import json
from typing import Any

import pytest

from gateway.control.compile import compile_all
from gateway.dialects.azure import endpoint, path_of, rerank_path
from tests.factories import gateway as make
from tests.factories.catalog import ProviderFactory, ServedModelFactory
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan
from tests.upstream.http import head

# Shapes: Microsoft Learn, "Azure OpenAI in Foundry Models REST API reference" and "Content filtering".
FILTERED = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
        },
    }
}
PROMPT_JUDGED = {
    "choices": [],
    "created": 0,
    "id": "",
    "model": "",
    "object": "",
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    ],
}


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/openai/v1/chat/completions"),
        ("v1", "/openai/v1/chat/completions"),
        ("preview", "/openai/v1/chat/completions?api-version=preview"),
        ("2024-10-21", "/openai/deployments/gpt-4o%20eu/chat/completions?api-version=2024-10-21"),
    ],
)
def test_where_an_operation_is(version: str | None, path: str) -> None:
    options = {"api_version": version} if version else {}
    place = make.deployment("https://r.openai.azure.com", dialect="azure", upstream_model="gpt-4o eu", options=options)
    assert path_of(place, "/chat/completions") == path


@pytest.mark.parametrize("end", ["", "/", "/openai", "/openai/v1", "/openai/v1/"])
def test_the_endpoint_of_an_address_that_says_more(end: str) -> None:
    assert endpoint("https://r.openai.azure.com" + end) == "https://r.openai.azure.com"


@pytest.mark.django_db
def test_the_path_to_rerank_is_below_the_endpoint() -> None:
    """Not below /openai/v1, where an address may end: see `rerank_path`."""
    provider = ProviderFactory(dialect="azure", base_url="https://r.openai.azure.com/openai/v1", internal=False)
    model = ServedModelFactory(capabilities=["rerank"])
    model.deployments.update(provider=provider)
    (place,) = compile_all().models[model.pk].deployments
    assert place.base_url + rerank_path(place) == "https://r.openai.azure.com/providers/cohere/v2/rerank"


def started(start: StartGateway, upstream: FakeUpstream, **changes: Any) -> LiveGateway:
    base = upstream.url.removesuffix("/v1")
    return start(deployment={"dialect": "azure", "base_url": base, "upstream_model": "gpt-4o-eu", **changes})


def test_a_call_under_a_dated_version(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = started(start_gateway, upstream, options={"api_version": "2024-10-21"})
    answer = gateway.openai().chat.completions.create(model="chat-small", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "word0 word1 word2 word3 word4"
    (request,) = upstream.received
    assert request.target == "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21"
    assert request.header("api-key") == make.CREDENTIAL and request.header("authorization") is None
    assert request.json()["model"] == "gpt-4o-eu"
    assert request.json()["max_completion_tokens"] == 4_096 and "max_tokens" not in request.json()


def test_embeddings(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = started(start_gateway, upstream)
    assert gateway.client.post("/v1/embeddings", json={"model": "embed-small", "input": "a"}).status_code == 200
    assert upstream.received[0].target == "/openai/v1/embeddings"


def test_a_prompt_that_the_filter_refuses(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = started(start_gateway, upstream)
    body = json.dumps(FILTERED).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    upstream.script(Plan(raw=head(400, headers) + body))
    answer = gateway.chat()
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert {name: error[name] for name in FILTERED["error"]} == FILTERED["error"]
    assert (error["source"], gateway.journal.records[-1].cost_nano_usd) == ("provider", 0)


def test_a_stream_that_begins_with_the_judgement_of_the_prompt(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    gateway = started(start_gateway, upstream)
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    chunks = [
        PROMPT_JUDGED,
        {**common, "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]},
        {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]},
        {**common, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}},
    ]
    events = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    upstream.script(Plan(raw=head(200, {"content-type": "text/event-stream"}) + events))
    stream = gateway.openai().chat.completions.create(
        model="chat-small", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    got = [chunk.model_dump(exclude_unset=True) for chunk in stream]
    assert got[0]["choices"] == [] and got[0]["prompt_filter_results"] == PROMPT_JUDGED["prompt_filter_results"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got[1:]] == [None, "content_filter"]
    closed = gateway.journal.records[-1]
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (9, 2, False)
