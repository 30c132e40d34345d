"""Providers that speak OpenAI's dialect, each row through a gateway: what it is sent, how its usage and errors are read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.openai_answer import error_detail
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.profile import Profile
from gateway.dialects.profile_table import ROWS
from gateway.dialects.profiles import DEFAULT, profile_of
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.upstream import FakeUpstream, Plan
from tests.upstream.http import head

GOLDEN = Path(__file__).parents[2] / "golden/openai_compatible"
STREAMS = json.loads((GOLDEN / "streams.json").read_text())
ERRORS = json.loads((GOLDEN / "errors.json").read_text())
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "azure": "https://acme.openai.azure.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "groq": "https://api.groq.com/openai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "moonshot": "https://api.moonshot.ai/v1",
    "xai": "https://api.x.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.ai/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
    "alibaba": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "databricks": "https://acme.cloud.databricks.com/serving-endpoints",
    "cloudflare": "https://api.cloudflare.com/client/v4/accounts/acme/ai/v1",
    "cohere": "https://api.cohere.ai/compatibility/v1",
    "github": "https://models.github.ai/inference",
    "sambanova": "https://api.sambanova.ai/v1",
    "nebius": "https://api.tokenfactory.nebius.com/v1",
    "novita": "https://api.novita.ai/openai/v1",
    "scaleway": "https://api.scaleway.ai/v1",
    "baseten": "https://inference.baseten.co/v1",
    "nvidia": "https://integrate.api.nvidia.com/v1",
    "ollama": "https://ollama.com/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "jina": "https://api.jina.ai/v1",
    "voyage": "https://api.voyageai.com/v1",
    "siliconflow": "https://api.siliconflow.com/v1",
}
HINTED = {"user": "u-1", "store": False, "safety_identifier": "s-1", "prompt_cache_retention": "24h", "seed": 7}


def events_of(chunks: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_found_and_has_its_source(row: Profile) -> None:
    assert row.source.startswith("https://")
    by_name = make.deployment("http://engine.internal:8000/v1", options={"profile": row.name})
    assert profile_of(by_name) is row
    assert bool(row.hosts) == (row.name in ADDRESSES)
    if row.hosts:
        assert profile_of(make.deployment(ADDRESSES[row.name])) is row


def test_others_have_none() -> None:
    assert profile_of(make.deployment("https://llm.example/v1")) is DEFAULT
    assert profile_of(make.deployment("https://api.openai.com.evil.example/v1")) is DEFAULT
    assert profile_of(make.deployment("http://x", options={"profile": "none-such"})) is DEFAULT


@pytest.fixture(scope="module")
def sent() -> Iterator[Any]:
    """Call the model of a row, each at a provider of that name, and return what the provider was sent."""
    with FakeUpstream() as provider:
        models = [
            make.model(row.name, make.deployment(provider.url, id=f"dep_{row.name}", options={"profile": row.name}))
            for row in ROWS
        ]
        with LiveGateway(provider.url, models=models) as gateway:

            def call(row: Profile, path: str = "/v1/chat/completions", **changes: Any) -> dict[str, Any]:
                answer = gateway.client.post(path, json={"model": row.name, "messages": HELLO, **changes})
                assert answer.status_code == 200, answer.text
                body: dict[str, Any] = provider.received[-1].json()
                return body

            yield call


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_provider_is_sent(row: Profile, sent: Any) -> None:
    body = sent(row, stream=True, **HINTED)
    caps = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
    assert caps == {row.cap_name: 4_096}, "our cap, in the one parameter that it knows"
    asks = {"include_usage": True} if "stream_options" not in row.dropped else None
    assert body.get("stream_options") == asks
    assert not row.dropped & body.keys()
    assert {row.renamed.get(name, name) for name in HINTED.keys() - row.dropped} <= body.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_provider_is_sent_by_translation(row: Profile, sent: Any) -> None:
    body = sent(row, "/v1/messages", max_tokens=9, stream=True)
    assert {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body} == {row.cap_name: 9}
    assert ("stream_options" in body) == ("stream_options" not in row.dropped)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_newer_cap_is_heeded_by_all(row: Profile, sent: Any) -> None:
    body = sent(row, max_completion_tokens=11)
    assert body[row.cap_name] == 11
    assert row.cap_name == "max_completion_tokens" or body.get("max_completion_tokens") is None


def test_values_that_are_not_touched_keep_their_bytes() -> None:
    row = next(row for row in ROWS if row.name == "mistral")
    body = b'{"model": "m", "temperature":0.10, "user": "u", "seed": 7}'
    assert row.fitted(body) == b'{"model":"m","temperature":0.10,"random_seed":7}'
    untouched = b'{ "model" : "m" }'
    assert row.fitted(untouched) is untouched


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case["name"])
def test_usage_of_a_stream(case: dict[str, Any], start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    usage = Usage(*case["usage"])
    events = events_of(case["chunks"]) + b"data: [DONE]\n\n"
    stream = ChatStream(hide_usage=True)
    for start in range(0, len(events), 17):
        stream.feed(events[start : start + 17])
    assert (stream.usage, stream.done) == (usage, True)
    told = [event.usage for event in ChatReader().feed(events) if hasattr(event, "usage") and event.usage]
    assert told[-1] == usage
    gateway = start_gateway(deployment={"options": {"profile": case["name"]}})
    upstream.script(Plan(raw=head(200, {"content-type": "text/event-stream"}) + events))
    assert gateway.chat(stream=True).text.endswith("data: [DONE]\n\n")
    closed = gateway.journal.records[-1]
    assert closed.estimated is False
    assert (
        Usage(
            closed.input_tokens,
            closed.cached_tokens,
            closed.cache_write_tokens,
            closed.output_tokens,
            closed.reasoning_tokens,
        )
        == usage
    )


def test_usage_in_every_chunk_is_no_end() -> None:
    chunks = next(case["chunks"] for case in STREAMS if case["name"] == "perplexity")
    for given, done in ((chunks[:1], False), (chunks, True)):
        stream, reader = ChatStream(hide_usage=True), ChatReader()
        stream.feed(events_of(given))
        stream.end()
        reader.feed(events_of(given))
        assert (stream.done, bool(reader.end())) == (done, done)


def test_an_error_in_a_chunk_with_choices(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    """OpenRouter, "Errors and debugging": an error midway comes with a choice whose finish_reason is "error"."""
    gateway = start_gateway(deployment={"options": {"profile": "openrouter"}})
    common = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    failed = {
        **common,
        "error": {"code": 502, "message": "Provider disconnected unexpectedly"},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    }
    begun = {**common, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    events = b": OPENROUTER PROCESSING\n\n" + events_of([begun, failed])
    for path in ("/v1/chat/completions", "/v1/messages"):
        upstream.script(Plan(raw=head(200, {"content-type": "text/event-stream"}) + events))
        body = {"model": "chat-small", "messages": HELLO, "stream": True, "max_tokens": 9}
        answer = gateway.client.post(path, json=body)
        assert "Provider disconnected unexpectedly" in answer.text and "[DONE]" not in answer.text
        assert gateway.journal.records[-1].status == 502


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["name"])
def test_errors_in_other_shapes(case: dict[str, Any], start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway()
    body = json.dumps(case["body"]).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    upstream.script(Plan(raw=head(case["status"], headers) + body))
    answer = gateway.chat()
    error = answer.json()["error"]
    assert (answer.status_code, error["message"], error["source"]) == (case["status"], case["message"], "provider")
    assert case["type"] is None or error["type"] == case["type"]


@pytest.mark.parametrize(
    "body", [b'{"message": ' + b"[" * 500 + b"]" * 500 + b"}", b'{"detail": 7}', b"[]", b'{"error": []}']
)
def test_errors_without_words(body: bytes) -> None:
    assert error_detail(body) == {}
