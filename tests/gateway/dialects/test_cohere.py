"""Cohere's own API through a gateway: from OpenAI's and Anthropic's clients, charged by what Cohere bills."""

import json
from typing import Any

import pytest
from openai import APIError, BadRequestError, RateLimitError

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.dialects.speaking import chunks
from tests.gateway.live import HELLO, LiveGateway
from tests.upstream import FakeUpstream, Plan

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
def cohere(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway whose provider is Cohere."""
    base_url = upstream.url.removesuffix("/v1")
    return start_gateway(deployment={"dialect": "cohere", "base_url": base_url, "upstream_model": "command-a-03-2025"})


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_are_charged_by_what_is_billed(cohere: LiveGateway, upstream: FakeUpstream, streamed: bool) -> None:
    client = cohere.openai()
    upstream.script(Plan(prompt_tokens=10), Plan(prompt_tokens=10, tool=True), Plan(usage="none"))
    for tools, finish in (([], "stop"), ([TOOL], "tool_calls")):
        answer: Any = client.chat.completions.create(
            model="chat-small", messages=HELLO, stream=streamed, **({"tools": tools} if tools else {})
        )  # type: ignore[call-overload]
        last = list(answer)[-1] if streamed else answer
        assert last.choices[0].finish_reason == finish
        closed = cohere.journal.records[-1]
        # 10 billed tokens in at 0.15 USD a million, 5 out at 0.60: not the 495 that Cohere writes around
        assert (closed.input_tokens, closed.cached_tokens, closed.output_tokens) == (10, 0, 5)
        assert (closed.cost_nano_usd, closed.estimated) == (10 * 150 + 5 * 600, False)
    cohere.chat(stream=streamed)
    assert cohere.journal.records[-1].estimated, "what is not told is counted"
    sent = upstream.received[0]
    assert sent.target == "/v2/chat" and sent.header("authorization") == f"Bearer {make.CREDENTIAL}"
    assert sent.json() == {"model": "command-a-03-2025", "messages": HELLO, "stream": streamed, "max_tokens": 4096}


def test_failures(cohere: LiveGateway, upstream: FakeUpstream) -> None:
    client = cohere.openai()
    upstream.script(Plan(status=429), Plan(error_inside=True))
    with pytest.raises(RateLimitError, match="told to answer 429"):
        client.chat.completions.create(model="chat-small", messages=HELLO)  # type: ignore[arg-type]
    with pytest.raises(APIError, match=r"The model failed\."):
        list(client.chat.completions.create(model="chat-small", messages=HELLO, stream=True))  # type: ignore[call-overload]
    with pytest.raises(BadRequestError, match="logprobs"):
        client.chat.completions.create(model="chat-small", messages=HELLO, logprobs=True)  # type: ignore[arg-type]
    assert len(upstream.received) == 2


def test_embeddings(cohere: LiveGateway, upstream: FakeUpstream) -> None:
    made = cohere.openai().embeddings.create(model="embed-small", input=["a", "b"])
    assert [one.embedding[3] for one in made.data] == [0.0, 1.0], "packed by the gateway, as the SDK asks for it"
    closed = cohere.journal.records[-1]
    assert closed.input_tokens == made.usage.prompt_tokens == upstream.served[-1].prompt_tokens
    assert json.loads(upstream.received[-1].body)["texts"] == ["a", "b"]
    upstream.script(Plan(usage="none"))
    cohere.openai().embeddings.create(model="embed-small", input="one two three")
    assert cohere.journal.records[-1].estimated and cohere.journal.records[-1].input_tokens == 3


@pytest.mark.parametrize("dialect", ["cohere", "openai"])
def test_coheres_clients(start_gateway: StartGateway, upstream: FakeUpstream, dialect: str) -> None:
    base_url = upstream.url.removesuffix("/v1") if dialect == "cohere" else upstream.url
    gateway = start_gateway(deployment={"dialect": dialect, "base_url": base_url})
    asked = {"model": "chat-small", "messages": HELLO, "max_tokens": 9}
    upstream.always(Plan(prompt_tokens=10))
    whole = gateway.client.post("/v2/chat", json=asked).json()
    assert whole["message"]["content"] == [{"type": "text", "text": "word0 word1 word2 word3 word4"}]
    assert whole["finish_reason"] == "COMPLETE" and whole["usage"]["billed_units"] == {
        "input_tokens": 10,
        "output_tokens": 5,
    }
    told = chunks(gateway.client.post("/v2/chat", json={**asked, "stream": True}).content)
    assert (told[0]["type"], told[-1]["type"]) == ("message-start", "message-end")
    assert told[-1]["delta"]["usage"]["billed_units"] == {"input_tokens": 10, "output_tokens": 5}
    vectors = gateway.client.post(
        "/v2/embed", json={"model": "embed-small", "texts": ["a"], "input_type": "search_query"}
    )
    made = vectors.json()
    assert len(made["embeddings"]["float"]) == 1 and made["meta"]["billed_units"]["input_tokens"] == 10
    assert [(one.input_tokens, one.estimated) for one in gateway.journal.closed] == [(10, False)] * 3
    upstream.always(Plan(error_inside=True))
    broken = chunks(gateway.client.post("/v2/chat", json={**asked, "stream": True}).content)
    assert broken[-1]["delta"]["finish_reason"] == "ERROR" and broken[-1]["error"]["source"] == "provider"
    refused = gateway.client.post("/v2/chat", json={**asked, "surprise": 1})
    assert refused.status_code == 400 and "surprise" in refused.json()["message"]
