"""The official OpenAI SDK, unmodified, against the gateway."""

import asyncio

import openai
import pytest

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway, until
from tests.upstream import FakeUpstream, Plan

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def test_chat(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="Hello there."))
    with gateway.openai() as client:
        answer = client.chat.completions.create(model="chat-small", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there."
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == gateway.journal.closed[0].input_tokens


def test_stream(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text="one two three"), Plan(text="one two three"))
    with gateway.openai() as client:
        plain = list(client.chat.completions.create(model="chat-small", messages=HELLO, stream=True))
        counted = list(
            client.chat.completions.create(
                model="chat-small", messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
        )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in plain) == "one two three"
    assert plain[-1].choices[0].finish_reason == "stop"
    assert counted[-1].usage is not None
    assert len(counted) == len(plain) + 1
    assert len(gateway.journal.closed) == 2
    assert not any(closed.estimated for closed in gateway.journal.closed)


def test_tools_structured_output_and_several_choices(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True), Plan(tool=True), Plan())
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    with gateway.openai() as client:
        called = client.chat.completions.create(model="chat-small", messages=HELLO, tools=[TOOL], n=2)
        chunks = list(client.chat.completions.create(model="chat-small", messages=HELLO, tools=[TOOL], stream=True))
        client.chat.completions.create(model="chat-small", messages=HELLO, response_format=schema)
    assert [choice.message.tool_calls[0].function.name for choice in called.choices] == ["look_up"] * 2
    assert any(chunk.choices[0].delta.tool_calls for chunk in chunks)
    assert upstream.received[0].json()["tools"] == [TOOL]
    assert upstream.received[2].json()["response_format"] == schema


def test_embeddings_and_models(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with gateway.openai() as client:
        answer = client.embeddings.create(model="embed-small", input=["a", "b"])
        listed = [model.id for model in client.models.list()]
        one = client.models.retrieve("chat-small")
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    assert listed == ["chat-small", "embed-small"]
    assert one.owned_by == "acme"


def test_errors_become_the_sdks_own(start_gateway: StartGateway, upstream: FakeUpstream) -> None:
    gateway = start_gateway(quotas=[make.quota("usd", "month", 10_000_000)])
    with gateway.openai(api_key="sk-wrong") as stranger, pytest.raises(openai.AuthenticationError) as wrong:
        stranger.chat.completions.create(model="chat-small", messages=HELLO)
    assert wrong.value.code == "invalid_key"
    with gateway.openai() as client:
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="missing", messages=HELLO)
        assert missing.value.code == "model_not_found"
        assert missing.value.request_id
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(model="chat-small", messages=HELLO, n=0)
        assert bad.value.param == "n"
        with pytest.raises(openai.APIStatusError) as poor:
            client.chat.completions.create(model="chat-small", messages=HELLO, max_tokens=100_000)
        assert poor.value.status_code == 402
        upstream.script(Plan(status=429))
        with pytest.raises(openai.RateLimitError) as busy:
            client.chat.completions.create(model="chat-small", messages=HELLO)
        assert busy.value.code == "rate_limit_exceeded"


def test_the_sdk_does_not_try_again_what_cannot_be_mended(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(status=401))
    with gateway.openai(max_retries=3) as client, pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="chat-small", messages=HELLO)
    assert len(upstream.received) == 1


def test_the_sdk_tries_again_what_passes(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(status=503, headers={"retry-after-ms": "10"}))
    with gateway.openai(max_retries=1) as client:
        assert client.chat.completions.create(model="chat-small", messages=HELLO).choices
    assert [closed.status for closed in gateway.journal.closed] == [503, 200]


def test_a_stream_that_breaks_is_an_error_of_the_sdk(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(chunks=5, cut=3))
    with gateway.openai() as client, pytest.raises(openai.APIError, match="broke off"):
        list(client.chat.completions.create(model="chat-small", messages=HELLO, stream=True))


async def test_many_async_streams_at_once(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(chunks=5, chunk_delay=0.02))

    async def one(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(model="chat-small", messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.secret, max_retries=0) as client:
        texts = await asyncio.gather(*(one(client) for _ in range(50)))
    assert set(texts) == {"word0 word1 word2 word3 word4"}
    until(lambda: gateway.idle)
    assert len(gateway.journal.closed) == 50
    assert not any(closed.estimated for closed in gateway.journal.closed)
