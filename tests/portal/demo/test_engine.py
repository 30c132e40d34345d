"""The demo engine as the official SDK sees it."""

import base64
import json
import math
import struct
import time
from typing import Any

import httpx
import openai
import pytest
import tiktoken
from openai import OpenAI

from gateway.tokens import chat_prompt
from portal.demo.engine import DemoEngine
from portal.demo.replies import NOTICE

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "days", "unit"],
            "additionalProperties": False,
        },
    },
}


def ask(sdk: OpenAI, prompt: str = "Tell me about tides", **extra: Any) -> Any:
    return sdk.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}], **extra)


def test_an_answer_says_that_no_model_was_called_and_is_always_the_same(sdk: OpenAI) -> None:
    first, second = ask(sdk), ask(sdk)
    text = first.choices[0].message.content
    assert text.startswith(NOTICE)
    assert "Tell me about tides" in text
    assert text == second.choices[0].message.content
    assert (first.model, first.choices[0].finish_reason, first.system_fingerprint) == (
        "gpt-4o-mini",
        "stop",
        "demo-engine",
    )
    assert first.id != second.id


def test_every_answer_is_labelled(http: httpx.Client) -> None:
    assert http.get("/models").headers["x-demo-engine"] == "no model was called"


def test_it_knows_the_turn_the_instructions_and_attachments(sdk: OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief and kind"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "answer"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
    ]
    text = sdk.chat.completions.create(model="m", messages=messages).choices[0].message.content or ""
    assert "In turn 2" in text
    assert "4 words long" in text
    assert "1 attachment" in text


def test_usage_is_tiktokens_count(sdk: OpenAI) -> None:
    answer = ask(sdk, "Grüße aus 北京")
    encoding = tiktoken.get_encoding("o200k_base")
    assert answer.usage.completion_tokens == len(encoding.encode(answer.choices[0].message.content))
    prompt = chat_prompt({"messages": [{"role": "user", "content": "Grüße aus 北京"}]})
    assert answer.usage.prompt_tokens == prompt.overhead + sum(len(encoding.encode(text)) for text in prompt.texts)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_says_the_same_as_a_whole_answer(sdk: OpenAI, asked: bool) -> None:
    whole = ask(sdk, "Grüße 👩‍👩‍👧‍👦", n=2)
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    parts = list(ask(sdk, "Grüße 👩‍👩‍👧‍👦", n=2, stream=True, **options))
    texts = ["", ""]
    finishes = {}
    for part in parts:
        for choice in part.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finishes[choice.index] = choice.finish_reason
    assert texts == [choice.message.content for choice in whole.choices]
    assert texts[0] != texts[1]
    assert finishes == {0: "stop", 1: "stop"}
    assert [part.usage for part in parts if part.usage] == ([whole.usage] if asked else [])
    assert (not parts[-1].choices) == asked


def test_a_stream_arrives_bit_by_bit(sdk: OpenAI) -> None:
    arrived = [time.monotonic() for _ in ask(sdk, stream=True)]
    assert arrived[-1] - arrived[0] > 0.02


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_most_tokens_are_honoured(sdk: OpenAI, name: str) -> None:
    answer = ask(sdk, **{name: 5})
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)
    assert NOTICE.startswith(answer.choices[0].message.content)


def test_stop_sequences_are_honoured(sdk: OpenAI) -> None:
    answer = ask(sdk, stop=["no such words", " demo"])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("This is Atrium's", "stop")
    assert answer.usage.completion_tokens < 8


def test_a_tool_that_the_prompt_speaks_of_is_called(sdk: OpenAI) -> None:
    answer = ask(sdk, "What will the weather be in San Francisco for 3 days, in fahrenheit?", tools=[WEATHER]).choices[
        0
    ]
    assert answer.finish_reason == "tool_calls"
    assert answer.message.content is None
    call = answer.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "San Francisco", "days": 3, "unit": "fahrenheit"}
    assert ask(sdk, "Tell me a story", tools=[WEATHER]).choices[0].message.tool_calls is None
    assert ask(sdk, "the weather?", tools=[WEATHER], tool_choice="none").choices[0].message.tool_calls is None
    assert ask(sdk, "a story", tools=[WEATHER], tool_choice="required").choices[0].finish_reason == "tool_calls"
    named = {"type": "function", "function": {"name": "get_weather"}}
    assert ask(sdk, "a story", tools=[WEATHER], tool_choice=named).choices[0].message.tool_calls[0].type == "function"


def test_a_streamed_tool_call_adds_up(sdk: OpenAI) -> None:
    arguments, names, finish = "", [], None
    for part in ask(sdk, "weather in Oslo", tools=[WEATHER], stream=True):
        for call in part.choices[0].delta.tool_calls or []:
            arguments += call.function.arguments or ""
            names += [call.function.name] if call.function.name else []
        finish = part.choices[0].finish_reason or finish
    assert (names, finish) == (["get_weather"], "tool_calls")
    assert json.loads(arguments)["city"] == "Oslo"


def test_a_tools_result_ends_in_an_answer(sdk: OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "weather in Oslo?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "7 degrees, rain"},
    ]
    answer = sdk.chat.completions.create(model="m", messages=messages, tools=[WEATHER]).choices[0]
    assert "7 degrees, rain" in (answer.message.content or "")


def test_structured_answers_fit(sdk: OpenAI) -> None:
    assert NOTICE in json.loads(ask(sdk, response_format={"type": "json_object"}).choices[0].message.content)["notice"]
    schema = {"name": "person", "strict": True, "schema": WEATHER["function"]["parameters"]}
    answer = ask(sdk, "Ada", response_format={"type": "json_schema", "json_schema": schema}).choices[0].message.content
    assert set(json.loads(answer)) == {"city", "days", "unit"}


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.APIStatusError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_on_request(sdk: OpenAI, status: int, raised: type[openai.APIStatusError], stream: bool) -> None:
    with pytest.raises(raised) as caught:
        ask(sdk, f"please demo:error={status}", stream=stream)
    assert caught.value.status_code == status
    assert "demo engine" in caught.value.message


def test_slowness_on_request(sdk: OpenAI) -> None:
    begin = time.monotonic()
    ask(sdk, "demo:slow=300ms")
    assert time.monotonic() - begin >= 0.3
    with pytest.raises(openai.APITimeoutError):
        ask(sdk, "demo:slow=30s", timeout=0.2)


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_on_request_is_no_clean_end(http: httpx.Client, stream: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "demo:cut"}], "stream": stream}
    with http.stream("POST", "/chat/completions", json=body) as answer, pytest.raises(httpx.RemoteProtocolError):
        for _ in answer.iter_bytes():
            pass
    assert answer.status_code == 200


def test_length_on_request(sdk: OpenAI) -> None:
    assert len(ask(sdk, "demo:words=700").choices[0].message.content.split()) == 700


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages.[0]"),
        ({"model": "m", "messages": [{"role": "robot", "content": "x"}]}, "messages.[0].role"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages.[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 0}, "n"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": "5"}, "max_tokens"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "stop": 5}, "stop"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "logprobs": True}, "logprobs"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}, "tools[0]"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": "required"}, "tool_choice"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "xml"}}, "response_format.type"),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_in_openais_words(http: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = http.post("/chat/completions", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


def test_bodies_that_are_no_json_object_are_refused(http: httpx.Client) -> None:
    for content in (b"", b"{", b"[]", b"\xff"):
        assert http.post("/chat/completions", content=content).status_code == 400


def test_the_credential_is_required(engine_url: str) -> None:
    assert httpx.get(f"{engine_url}/models").status_code == 401
    assert (
        httpx.get(f"{engine_url}/models", headers={"authorization": "Bearer other"}).json()["error"]["code"]
        == "invalid_api_key"
    )
    assert httpx.get(engine_url.removesuffix("/v1") + "/healthz").status_code == 200


def test_models_and_unknown_routes(sdk: OpenAI, http: httpx.Client) -> None:
    assert {"demo-chat", "demo-embedding", "demo-image", "demo-rerank"} < {model.id for model in sdk.models.list()}
    assert sdk.models.retrieve("demo-chat").owned_by == "atrium-demo"
    assert http.get("/models/none").status_code == 404
    assert http.post("/completions", json={}).json()["error"]["code"] == "unknown_url"


def test_embeddings_are_deterministic_unit_vectors_that_share_words(sdk: OpenAI) -> None:
    made = sdk.embeddings.create(
        model="text-embedding-3-small", input=["green tea leaves", "black tea leaves", "tax law"]
    )
    vectors = [item.embedding for item in made.data]
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert all(math.isclose(math.sqrt(sum(x * x for x in vector)), 1, rel_tol=1e-5) for vector in vectors)
    near = sum(x * y for x, y in zip(vectors[0], vectors[1], strict=True))
    far = sum(x * y for x, y in zip(vectors[0], vectors[2], strict=True))
    assert near > far + 0.3
    assert made.usage.prompt_tokens == sum(
        len(tiktoken.get_encoding("cl100k_base").encode(text))
        for text in ("green tea leaves", "black tea leaves", "tax law")
    )
    again = sdk.embeddings.create(model="text-embedding-3-small", input="green tea leaves")
    assert again.data[0].embedding == vectors[0]


def test_embeddings_as_base64_floats_and_of_a_size(http: httpx.Client) -> None:
    body = {"model": "demo-embedding", "input": [[1, 2, 3]], "dimensions": 16}
    floats = http.post("/embeddings", json=body).json()
    coded = http.post("/embeddings", json={**body, "encoding_format": "base64"}).json()
    unpacked = struct.unpack("<16f", base64.b64decode(coded["data"][0]["embedding"]))
    assert unpacked == pytest.approx(floats["data"][0]["embedding"])
    assert floats["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"input": ""}, "input"), ({"input": []}, "input"), ({}, "input"), ({"input": [1.5]}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"), ({"input": "a", "dimensions": 99999}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"), ({"input": ["a"] * 2049}, "input"),
    ],
)  # fmt: skip
def test_wrong_embeddings_requests_are_refused(http: httpx.Client, extra: dict[str, Any], param: str) -> None:
    answer = http.post("/embeddings", json={"model": "m", **extra})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("server", "status"), [(("10.0.0.5", 80), 403), (None, 403), (("::1", 80), 200), (("127.0.0.1", 80), 200)]
)
async def test_it_serves_loopback_only(server: tuple[str, int] | None, status: int) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/healthz", "headers": [], "server": server}
    await DemoEngine()(scope, receive, send)
    assert sent[0]["status"] == status
