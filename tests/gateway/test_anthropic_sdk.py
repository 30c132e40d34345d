"""The official SDKs of Anthropic and OpenAI, unmodified, to providers of both dialects."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from gateway.snapshot import Price
from tests.factories import gateway as make
from tests.gateway import live
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan
from tests.upstream.anthropic import SIGNATURE

PRICE = Price("price_c", 0.0, 3_000_000_000, 15_000_000_000, cached_input=300_000_000, cache_write=3_750_000_000)
HELLO: Any = live.HELLO
TOOLS: Any = [{"name": name, "description": "d", "input_schema": {"type": "object"}} for name in ("one", "two")]
FUNCTIONS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("one", "two")
]
PNG = "iVBORw0KGgo="
BUCKETS = {"cache_creation_input_tokens": 400, "cache_read_input_tokens": 300}
OpenAnthropic = Callable[..., anthropic.Anthropic]


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with `claude` at a provider of Anthropic's dialect and `chat-small` at one of OpenAI's."""
    place = make.deployment(upstream.url, id="dep_a", dialect="anthropic", upstream_model="claude-sonnet-4-5")
    claude = make.model("claude", place, prices=(PRICE,), context_tokens=200_000)
    return start_gateway(models=[claude, make.model("chat-small", make.deployment(upstream.url))])


@pytest.fixture
def client(gateway: LiveGateway) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client, set up as our documentation says."""
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.secret, max_retries=0) as found:
        yield found


@pytest.fixture
def other(gateway: LiveGateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client."""
    with gateway.openai() as found:
        yield found


def test_messages_to_anthropic_pass_as_they_are(
    client: anthropic.Anthropic, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(text="Hello there.", prompt_tokens=100, completion_tokens=20, tokens=BUCKETS))
    answer: Any = client.beta.messages.create(
        model="claude", max_tokens=50, messages=HELLO, betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_thinking_20251015"}]},
    )  # fmt: skip
    assert answer.content[0].text == "Hello there."
    assert answer.usage.cache_read_input_tokens == 300
    [received], [closed] = upstream.received, gateway.journal.closed
    assert received.target == "/v1/messages"
    assert received.header("x-api-key") == make.CREDENTIAL
    assert received.header("anthropic-beta") == "context-management-2025-06-27"
    assert received.header("anthropic-version") == client.default_headers["anthropic-version"]
    assert not received.header("authorization") and gateway.secret.encode() not in received.head
    assert received.json()["model"] == "claude-sonnet-4-5"
    assert (closed.input_tokens, closed.cached_tokens, closed.cache_write_tokens, closed.output_tokens) == (
        800,
        300,
        400,
        20,
    )
    assert closed.cost_nano_usd == 100 * 3_000 + 300 * 300 + 400 * 3_750 + 20 * 15_000


def test_a_stream_from_anthropic_passes_byte_for_byte(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(text="one two three", prompt_tokens=100, completion_tokens=20, tokens=BUCKETS))
    body = {"model": "claude", "max_tokens": 50, "messages": HELLO, "stream": True}
    direct = gateway.stranger.post(f"{upstream.url}/messages", json=body | {"model": "claude-sonnet-4-5"})
    through = gateway.client.post("/v1/messages?beta=true", json=body)
    assert through.content.replace(b"msg_fake_2", b"msg_fake_1") == direct.content
    assert through.headers["content-type"].startswith("text/event-stream")
    assert through.headers["request-id"] == through.headers["x-request-id"]
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (800, 20, False)


def test_an_hour_in_the_cache_is_charged_at_its_rate_and_refused_where_the_price_names_none(
    start_gateway: StartGateway, upstream: FakeUpstream
) -> None:
    place = make.deployment(upstream.url, dialect="anthropic")
    priced = replace(PRICE, units={"cache_write_1h_tokens": 6_000_000_000})
    gateway = start_gateway(
        models=[make.model("claude", place, prices=(priced,)), make.model("old", place, prices=(PRICE,))]
    )
    by_time = {"cache_creation": {"ephemeral_1h_input_tokens": 250, "ephemeral_5m_input_tokens": 150}}
    body = {"max_tokens": 50, "messages": HELLO, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    for streamed in (False, True):
        upstream.script(Plan(prompt_tokens=100, completion_tokens=20, tokens=BUCKETS | by_time))
        assert (
            gateway.client.post("/v1/messages", json={"model": "claude", "stream": streamed, **body}).status_code == 200
        )
    until(lambda: len(gateway.journal.closed) == 2)
    assert [closed.units for closed in gateway.journal.closed] == [{"cache_write_1h_tokens": 250}] * 2
    cost = 100 * 3_000 + 300 * 300 + 150 * 3_750 + 250 * 6_000 + 20 * 15_000
    assert [closed.cost_nano_usd for closed in gateway.journal.closed] == [cost] * 2
    refused = gateway.client.post("/v1/messages", json={"model": "old", **body})
    assert refused.status_code == 400 and "no rate for 1-hour cache write tokens" in refused.json()["error"]["message"]
    assert len(gateway.journal.opened) == 2


def test_thinking_and_tools_of_anthropic_in_a_stream(client: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True))
    with client.messages.stream(
        model="claude", max_tokens=2000, messages=HELLO, tools=TOOLS,
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:  # fmt: skip
        answer: Any = stream.get_final_message()
    thought, *calls = answer.content
    assert thought.type == "thinking" and thought.signature == SIGNATURE
    assert [(call.name, call.input) for call in calls if call.type == "tool_use"] == [
        ("one", {"x": 0}),
        ("two", {"x": 1}),
    ]
    assert answer.stop_reason == "tool_use"


def test_messages_to_a_provider_of_openais_dialect(
    client: anthropic.Anthropic, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(
        Plan(
            text="A cat.", prompt_tokens=10, completion_tokens=3, tokens={"prompt_tokens_details": {"cached_tokens": 4}}
        )
    )
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    turns: Any = [{"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}]
    answer: Any = client.messages.create(
        model="chat-small", max_tokens=50, system="Be brief.", stop_sequences=["."],
        messages=turns,
    )  # fmt: skip
    assert (answer.content[0].text, answer.stop_reason) == ("A cat.", "end_turn")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (6, 4, 3)
    sent = upstream.received[0].json()
    assert upstream.received[0].target == "/v1/chat/completions"
    assert (sent["max_tokens"], sent["stop"], sent["messages"][0]["content"]) == (50, ["."], "Be brief.")
    assert gateway.journal.closed[0].cached_tokens == 4


def test_a_stream_and_tools_from_a_provider_of_openais_dialect(
    client: anthropic.Anthropic, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(text="one two three", prompt_tokens=10, completion_tokens=3), Plan(tool=True))
    with client.messages.stream(model="chat-small", max_tokens=50, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "one two three"
        answer: Any = stream.get_final_message()
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 10, 3)
    with client.messages.stream(model="chat-small", max_tokens=50, messages=HELLO, tools=TOOLS) as stream:
        answer = stream.get_final_message()
    [call] = answer.content
    assert call.type == "tool_use" and (call.name, call.input) == ("one", {"x": 1})
    until(lambda: len(gateway.journal.closed) == 2)
    assert not any(closed.estimated for closed in gateway.journal.closed)


def test_a_chat_to_anthropic(other: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="A cat.", prompt_tokens=100, completion_tokens=20, tokens=BUCKETS))
    url = {"url": f"data:image/png;base64,{PNG}"}
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
    answer = other.chat.completions.create(
        model="claude", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("A cat.", "stop")
    assert answer.usage is not None and answer.usage.prompt_tokens_details is not None
    assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (800, 300)
    sent = upstream.received[0].json()
    assert (sent["system"], sent["max_tokens"]) == ("Be brief.", 4096)
    assert sent["messages"][0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert upstream.received[0].header("x-api-key") == make.CREDENTIAL
    assert gateway.journal.closed[0].cost_nano_usd == 100 * 3_000 + 300 * 300 + 400 * 3_750 + 20 * 15_000


def test_a_streamed_chat_with_thought_and_parallel_tools_from_anthropic(
    other: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(tool=True, prompt_tokens=100, completion_tokens=20))
    chunks = list(
        other.chat.completions.create(
            model="claude", messages=HELLO, tools=FUNCTIONS, reasoning_effort="low", stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "Let me think."
    found: dict[int, str] = {}
    for call in [call for delta in deltas for call in delta.tool_calls or ()]:
        assert call.function is not None
        found[call.index] = found.get(call.index, "") + (call.function.arguments or "")
    assert [json.loads(arguments) for arguments in found.values()] == [{"x": 0}, {"x": 1}]
    assert chunks[-1].usage is not None and (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (
        100,
        20,
    )
    assert upstream.received[0].json()["thinking"] == {"type": "enabled", "budget_tokens": 3072}


def test_a_conversation_with_tools_goes_back_to_anthropic(other: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True), Plan(text="Done."))
    first = other.chat.completions.create(model="claude", messages=HELLO, tools=FUNCTIONS).choices[0].message
    assert first.tool_calls is not None
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"result {call.id}"} for call in first.tool_calls]
    turns: Any = [*HELLO, first, *results]
    assert (
        other.chat.completions.create(model="claude", messages=turns, tools=FUNCTIONS).choices[0].message.content
        == "Done."
    )
    sent = upstream.received[1].json()["messages"]
    assert [block["id"] for block in sent[1]["content"]] == ["toolu_0", "toolu_1"]
    assert [block["tool_use_id"] for block in sent[2]["content"]] == ["toolu_0", "toolu_1"]


@pytest.mark.parametrize("model", ["claude", "chat-small"])
@pytest.mark.parametrize(("status", "kind"), [(400, anthropic.BadRequestError), (429, anthropic.RateLimitError)])
def test_errors_of_providers_are_the_sdks_own(
    client: anthropic.Anthropic, upstream: FakeUpstream, model: str, status: int, kind: type[anthropic.APIStatusError]
) -> None:
    upstream.always(Plan(status=status))
    with pytest.raises(kind) as caught:
        client.messages.create(model=model, max_tokens=50, messages=HELLO)
    body: Any = caught.value.body
    assert body["type"] == "error" and body["error"]["source"] == "provider"
    assert body["error"]["message"] == f"The fake upstream was told to answer {status}."


def test_an_overloaded_provider_keeps_its_own_words(
    client: anthropic.Anthropic, other: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.always(Plan(status=529))
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model="claude", max_tokens=50, messages=HELLO)
    assert caught.value.status_code == 529
    body: Any = caught.value.body
    assert body["error"]["type"] == "overloaded_error"
    with pytest.raises(openai.APIStatusError) as seen:
        other.chat.completions.create(model="claude", messages=HELLO)
    assert seen.value.status_code == 529 and "told to answer 529" in str(seen.value)
    upstream.always(Plan(error_inside=True))  # under status 200
    with pytest.raises(anthropic.APIStatusError) as inside:
        client.messages.create(model="claude", max_tokens=50, messages=HELLO)
    assert inside.value.status_code == 529
    assert sum(closed.cost_nano_usd for closed in gateway.journal.closed) == 0


@pytest.mark.parametrize("model", ["claude", "chat-small"])
@pytest.mark.parametrize("plan", [Plan(chunks=9, error_inside=True), Plan(chunks=9, cut=7), Plan(chunks=9, end=7)])
def test_a_stream_that_breaks_ends_with_an_error_and_is_estimated(
    client: anthropic.Anthropic, gateway: LiveGateway, upstream: FakeUpstream, model: str, plan: Plan
) -> None:
    upstream.script(plan)
    seen: list[str] = []
    stream = client.messages.create(model=model, max_tokens=50, messages=HELLO, stream=True)
    with pytest.raises(anthropic.APIError):
        seen.extend(event.type for event in iter(stream))
    assert "content_block_delta" in seen and "message_stop" not in seen
    closed = until(lambda: gateway.journal.closed)[0]
    assert closed.estimated and closed.cost_nano_usd > 0


def test_who_hangs_up_on_anthropic_pays_for_what_was_made(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=400, chunk_delay=0.005))
    body = {"model": "claude", "max_tokens": 500, "messages": HELLO, "stream": True}
    with gateway.client.stream("POST", "/v1/messages", json=body) as answer:
        seen = b""
        for piece in answer.iter_raw():
            seen += piece
            if seen.count(b"text_delta") > 50:
                break
    closed = until(lambda: gateway.journal.closed)[0]
    assert closed.status == 499 and closed.estimated and closed.output_tokens >= 50


def test_refusals_of_the_gateway_are_in_anthropics_shape(client: anthropic.Anthropic, gateway: LiveGateway) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="missing", max_tokens=5, messages=HELLO)
    body: Any = missing.value.body
    assert body["error"]["type"] == "not_found_error" and body["request_id"]
    with pytest.raises(anthropic.BadRequestError) as unsaid:
        client.messages.create(model="chat-small", max_tokens=5, messages=HELLO, extra_body={"top_k": 3})
    assert "top_k" in str(unsaid.value)
    with pytest.raises(anthropic.BadRequestError) as unmetered:
        client.messages.create(
            model="claude", max_tokens=5, messages=HELLO, tools=[{"type": "web_search_20250305", "name": "web_search"}]
        )  # fmt: skip
    assert "not metered" in str(unmetered.value)
    stranger = anthropic.Anthropic(base_url=gateway.url, api_key="sk-wrong", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model="claude", max_tokens=5, messages=HELLO)


def test_a_bearer_token_is_a_key_too(gateway: LiveGateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key=None, auth_token=gateway.secret, max_retries=0) as client:
        assert client.messages.create(model="claude", max_tokens=5, messages=HELLO).content


def test_tokens_are_counted_by_anthropic_for_nothing_or_here(
    client: anthropic.Anthropic, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    upstream.script(Plan(prompt_tokens=1234))
    assert client.messages.count_tokens(model="claude", messages=HELLO).input_tokens == 1234
    assert upstream.received[0].target == "/v1/messages/count_tokens"
    [opened], [closed] = gateway.journal.opened, gateway.journal.closed
    assert (opened.endpoint, opened.bound_nano_usd) == ("messages.count_tokens", 0)
    assert (closed.status, closed.cost_nano_usd, closed.input_tokens) == (200, 0, 0)
    here = client.messages.count_tokens(model="chat-small", messages=HELLO, system="Be brief.").input_tokens
    assert 8 <= here <= 16 and len(upstream.received) == 1


def test_models_are_listed_as_anthropics_clients_read_them(client: anthropic.Anthropic, gateway: LiveGateway) -> None:
    assert [(model.id, model.type) for model in client.models.list(limit=1000)] == [
        ("chat-small", "model"), ("claude", "model"),
    ]  # fmt: skip
    one = client.models.retrieve("claude")
    assert (one.display_name, one.max_input_tokens, one.max_tokens, one.lifecycle) == (
        "Claude",
        200_000,
        4096,
        "active",
    )
    assert gateway.client.get("/v1/models").json()["object"] == "list"
