"""Gemini through the live gateway: the official SDK as client, providers of its own dialect and of OpenAI's behind it."""

import json
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.factories import gateway as make
from tests.gateway.gemini.conftest import genai_client
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan

WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Say how the weather is.",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
        )
    ]
)
NO_LOOP = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.mark.parametrize("model", ["gemini", "translated", "vertex", "claude"])
def test_an_answer_in_one_piece(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream, model: str) -> None:
    upstream.script(Plan(text="Good morning", prompt_tokens=10, completion_tokens=4))
    answer = sdk.models.generate_content(
        model=model,
        contents=["Say hello.", types.Part.from_bytes(data=b"png", mime_type="image/png")],
        config=types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.5),
    )
    assert answer.text == "Good morning"
    assert answer.candidates is not None and answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata is not None and answer.usage_metadata.candidates_token_count == 4
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (10, 4, False)
    assert closed.cost_nano_usd == 10 * 300 + 4 * 2_500
    assert gateway.journal.opened[0].endpoint == "gemini.generate"


def test_bytes_pass_but_for_the_cap(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    body = b'{ "contents":[{"parts":[{"text":"h\\u00ef"}]}], "generation_config" : {"topK":40.0},"safetySettings":[]}'
    answer = gateway.client.post("/v1beta/models/gemini:generateContent", content=body)
    assert answer.status_code == 200, answer.text
    [received] = upstream.received
    assert received.target == "/v1/models/gemini-3.5-flash:generateContent"
    assert received.header("x-goog-api-key") == make.CREDENTIAL and received.header("authorization") is None
    capped = (
        b'{ "contents":[{"parts":[{"text":"h\\u00ef"}]}], "generation_config" : {"topK":40.0,"maxOutputTokens":4096}'
    )
    assert received.body == capped + b',"safetySettings":[]}'
    assert gateway.journal.opened[0].bound_output_tokens == 4_096
    gateway.client.post(
        "/v1beta/models/gemini:generateContent", json={"contents": [], "generationConfig": {"maxOutputTokens": 7}}
    )
    assert upstream.received[1].json() == {"contents": [], "generationConfig": {"maxOutputTokens": 7}}


def test_vertex_gets_its_own_path(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    path = "/v1beta1/projects/any/locations/where/publishers/google/models/vertex:streamGenerateContent?alt=sse"
    answer = gateway.client.post(path, json={"contents": [{"parts": [{"text": "hi"}]}]})
    assert answer.status_code == 200, answer.text
    lead = "/v1/projects/acme-1/locations/europe-west1/publishers/google/models"
    assert upstream.received[0].target == f"{lead}/gemini-3.5-pro:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["gemini", "translated", "claude"])
def test_a_stream(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream, model: str) -> None:
    upstream.script(Plan(text="one two three", prompt_tokens=10, completion_tokens=3))
    chunks = list(sdk.models.generate_content_stream(model=model, contents="Count"))
    assert "".join(chunk.text or "" for chunk in chunks) == "one two three"
    last = chunks[-1]
    assert last.candidates is not None and last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata is not None and last.usage_metadata.total_token_count == 13
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (10, 3, False)


@pytest.mark.parametrize("model", ["gemini", "translated"])
def test_a_stream_as_one_array(gateway: LiveGateway, upstream: FakeUpstream, model: str) -> None:
    upstream.script(Plan(text="one two three"), Plan(chunks=3, error_inside=True))
    path, body = f"/v1beta/models/{model}:streamGenerateContent", {"contents": [{"parts": [{"text": "Count"}]}]}
    answer = gateway.client.post(path, json=body)
    assert answer.headers["content-type"].startswith("application/json")
    parts = [part for chunk in answer.json() for part in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(part["text"] for part in parts) == "one two three"
    broken = gateway.client.post(path, json=body).json()
    assert broken[-1]["error"]["source"] == "provider" and "candidates" in broken[0]


def test_thought_and_cache_are_charged(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    tokens = {"thoughtsTokenCount": 30, "cachedContentTokenCount": 40}
    upstream.script(*[Plan(prompt_tokens=120, completion_tokens=50, tokens=tokens)] * 2)
    sdk.models.generate_content(model="gemini", contents="Think")
    list(sdk.models.generate_content_stream(model="gemini", contents="Think"))
    for closed in gateway.journal.closed:
        assert (closed.input_tokens, closed.cached_tokens) == (120, 40)
        assert (closed.output_tokens, closed.reasoning_tokens) == (80, 30)
        assert closed.cost_nano_usd == 80 * 300 + 40 * 30 + 80 * 2_500


@pytest.mark.parametrize("model", ["gemini", "translated"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_answered(sdk: genai.Client, upstream: FakeUpstream, model: str, streamed: bool) -> None:
    upstream.script(Plan(tool=True), Plan(text="It rains."))
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=NO_LOOP)
    asked: list[Any] = [types.Content(role="user", parts=[types.Part(text="Weather?")])]
    if streamed:
        chunks = list(sdk.models.generate_content_stream(model=model, contents=asked, config=config))
    else:
        chunks = [sdk.models.generate_content(model=model, contents=asked, config=config)]
    contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates]
    made = [part for content in contents if content for part in content.parts or () if part.function_call]
    [part] = made
    assert part.function_call is not None and part.function_call.name == "get_weather"
    response = types.Part.from_function_response(name="get_weather", response={"output": "rain"})
    talk = [*asked, types.Content(role="model", parts=made), types.Content(role="user", parts=[response])]
    assert sdk.models.generate_content(model=model, contents=talk, config=config).text == "It rains."
    sent = upstream.received[-1].json()
    if model == "gemini":
        assert sent["contents"][1]["parts"][0]["thoughtSignature"] == "c2lnbmVk"
    else:
        assistant, tool = sent["messages"][1:]
        assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
        assert (tool["role"], tool["content"]) == ("tool", "rain")


def test_errors_are_the_sdks_own(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with pytest.raises(errors.ClientError) as caught:
        sdk.models.generate_content(model="nothing", contents="hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    config = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    with pytest.raises(errors.ClientError) as caught:
        sdk.models.generate_content(model="gemini", contents="hi", config=config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert caught.value.details["error"]["source"] == "gateway"
    assert upstream.received == []
    upstream.script(_refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded"), Plan(chunks=2, error_inside=True))
    with pytest.raises(errors.ClientError) as caught:
        sdk.models.generate_content(model="gemini", contents="hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(errors.ServerError) as failed:
        list(sdk.models.generate_content_stream(model="gemini", contents="hi"))
    assert (failed.value.code, failed.value.message) == (503, "The model is overloaded.")
    stranger = genai_client(gateway, "atp_" + "x" * 36)
    with pytest.raises(errors.ClientError) as caught:
        stranger.models.generate_content(model="gemini", contents="hi")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


def test_googles_400_for_our_own_key_is_not_the_clients_fault(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    upstream.script(_refused(400, "INVALID_ARGUMENT", "API key not valid.", details))
    answer = gateway.client.post("/v1beta/models/gemini:generateContent", json={"contents": []})
    error = answer.json()["error"]
    assert (answer.status_code, error["details"][0]["reason"]) == (502, "UPSTREAM_CREDENTIAL")


def test_a_stream_that_breaks_off_is_never_ended(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    for plan in (Plan(chunks=5, cut=3), Plan(chunks=5, end=3)):
        for model in ("gemini", "translated"):
            upstream.script(plan)
            path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
            answer = gateway.client.post(path, json={"contents": [{"parts": [{"text": "hi"}]}]})
            events = [json.loads(one[6:]) for one in answer.text.replace("\r\n", "\n").split("\n\n") if one.strip()]
            assert "error" in events[-1] and not any("finishReason" in json.dumps(one) for one in events)
            assert gateway.journal.closed[-1].estimated and gateway.journal.closed[-1].output_tokens >= 3


def _refused(status: int, kind: str, message: str, details: list[Any] | None = None) -> Plan:
    body = json.dumps(
        {"error": {"code": status, "message": message, "status": kind, "details": details or []}}
    ).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return Plan(raw=head.encode() + body)
