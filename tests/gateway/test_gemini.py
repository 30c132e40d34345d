"""Gemini through the live gateway: the official SDK as client, providers of its own dialect and of OpenAI's behind it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from gateway.snapshot import Price
from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan

PRICE = Price("price_g", 0.0, input=300_000_000, output=2_500_000_000, cached_input=30_000_000)
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


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway whose `gemini` is served over Gemini, `translated` over OpenAI's chat, and `embed` over Gemini."""
    own = make.deployment(upstream.url, dialect="gemini", upstream_model="gemini-3.5-flash")
    other = make.deployment(upstream.url, upstream_model="gpt-4o-mini")
    vertex = make.deployment(
        upstream.url, dialect="vertex", upstream_model="gemini-3.5-pro", auth="bearer",
        options={"project": "acme-1", "location": "europe-west1"},
    )  # fmt: skip
    embed = {"capabilities": frozenset({"embeddings"}), "max_output_tokens": 0}
    return start_gateway(
        models=[
            make.model("gemini", own, prices=(PRICE,)),
            make.model("translated", other, prices=(PRICE,)),
            make.model("vertex", vertex, prices=(PRICE,)),
            make.model("embed", own, prices=(PRICE,), **embed),
        ]
    )


@pytest.fixture
def sdk(gateway: LiveGateway) -> Iterator[genai.Client]:
    """The official client, set up as our documentation says."""
    with genai.Client(api_key=gateway.secret, http_options=types.HttpOptions(base_url=gateway.url)) as client:
        yield client


@pytest.mark.parametrize("model", ["gemini", "translated", "vertex"])
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


@pytest.mark.parametrize("model", ["gemini", "translated"])
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


def test_structured_output_is_translated(sdk: genai.Client, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text='{"n": 1}'))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    assert sdk.models.generate_content(model="translated", contents="A number", config=config).text == '{"n": 1}'
    asked = upstream.received[0].json()["response_format"]
    assert (asked["type"], asked["json_schema"]["schema"]) == ("json_schema", schema)


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
    stranger = genai.Client(api_key="atp_" + "x" * 36, http_options=types.HttpOptions(base_url=gateway.url))
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


def test_tokens_are_counted_without_a_call(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    counted = sdk.models.count_tokens(model="gemini", contents="one two three")
    assert counted.total_tokens == 3 + 3 + 3  # words, and what frames a message and a reply
    assert (upstream.received, gateway.journal.opened) == ([], [])
    body = {"generateContentRequest": {"model": "models/x", "contents": [{"parts": [{"text": "one two three"}]}]}}
    assert gateway.client.post("/v1beta/models/translated:countTokens", json=body).json() == {"totalTokens": 9}
    assert gateway.client.post("/v1beta/models/nothing:countTokens", json=body).status_code == 404
    assert gateway.stranger.post("/v1beta/models/gemini:countTokens", json=body).status_code == 401


def test_embeddings(sdk: genai.Client, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=8))
    config = types.EmbedContentConfig(output_dimensionality=2, task_type="RETRIEVAL_QUERY")
    answer = sdk.models.embed_content(model="embed", contents=["one", "two"], config=config)
    assert [one.values for one in answer.embeddings or ()] == [[0.5, -0.25]] * 2
    [first, _] = upstream.received[0].json()["requests"]
    assert (first["model"], first["outputDimensionality"]) == ("models/gemini-3.5-flash", 2)
    assert gateway.journal.closed[0].cost_nano_usd == 8 * 300
    single = {"model": "models/embed", "content": {"parts": [{"text": "one"}]}}
    answered = gateway.client.post("/v1beta/models/embed:embedContent", json=single)
    assert answered.json()["embedding"] == {"values": [0.5, -0.25]}
    assert upstream.received[1].json() == single | {"model": "models/gemini-3.5-flash"}
    image = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}}
    assert gateway.client.post("/v1beta/models/embed:embedContent", json=image).status_code == 400


def test_openais_embeddings_over_gemini(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(prompt_tokens=8), Plan(usage="none"))
    with gateway.openai() as client:
        packed = client.embeddings.create(model="embed", input=["one", "two"], dimensions=2)  # base64 on the wire
        assert [one.embedding for one in packed.data] == [[0.5, -0.25]] * 2
        assert packed.usage.prompt_tokens == 8
        plain = client.embeddings.create(model="embed", input="one two three", encoding_format="float")
        assert plain.data[0].embedding == [0.5, -0.25]
    assert [(one.input_tokens, one.estimated) for one in gateway.journal.closed] == [(8, False), (3, True)]
    refused = gateway.client.post("/v1/embeddings", json={"model": "embed", "input": [[1, 2]]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")


def test_models_as_google_lists_them(sdk: genai.Client, gateway: LiveGateway) -> None:
    found = {model.name: model for model in sdk.models.list()}
    assert set(found) == {"models/gemini", "models/translated", "models/vertex", "models/embed"}
    assert found["models/embed"].supported_actions == ["embedContent", "batchEmbedContents"]
    assert sdk.models.get(model="gemini").input_token_limit == 128_000
    assert gateway.client.get("/v1/models").json()["object"] == "list", "OpenAI's clients get theirs"
    assert "models" in gateway.client.get("/v1beta/models").json()


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models"])
def test_a_key_in_the_address(gateway: LiveGateway, path: str) -> None:
    assert "models" in gateway.stranger.get(f"{path}?pageSize=5&key={gateway.secret}").json()
    wrong = gateway.stranger.get(f"{path}?key=atp_{'x' * 36}")
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert gateway.stranger.get(f"/v1/key?key={gateway.secret}").status_code == 401, "no path but Google's"


@pytest.mark.parametrize("streamed", [False, True])
def test_openais_client_over_gemini(gateway: LiveGateway, upstream: FakeUpstream, streamed: bool) -> None:
    tokens = {"thoughtsTokenCount": 6}
    upstream.script(Plan(text="Good day", prompt_tokens=10, completion_tokens=2, tokens=tokens))
    with gateway.openai() as client:
        messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
        options: Any = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        answer: Any = client.chat.completions.create(model="gemini", messages=messages, **options)
        if streamed:
            chunks = list(answer)
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            usage = chunks[-1].usage
        else:
            said, usage = answer.choices[0].message.content, answer.usage
    assert said == "Good day"
    assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (8, 6)
    sent = upstream.received[0].json()
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert sent["generationConfig"]["maxOutputTokens"] == 4_096
    assert gateway.journal.closed[0].output_tokens == 8


def test_a_tool_of_openais_client_over_gemini(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True), Plan(text="It rains."))
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    messages: list[Any] = [{"role": "user", "content": "Weather?"}]
    with gateway.openai() as client:
        asked = client.chat.completions.create(model="gemini", messages=messages, tools=tools, tool_choice="required")
        [call] = asked.choices[0].message.tool_calls or ()
        assert asked.choices[0].finish_reason == "tool_calls"
        messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        said = client.chat.completions.create(model="gemini", messages=messages, tools=tools)
    assert said.choices[0].message.content == "It rains."
    first, second = (received.json() for received in upstream.received)
    assert first["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    response = second["contents"][2]["parts"][0]["functionResponse"]
    assert (response["name"], response["response"]) == ("get_weather", {"output": "rain"})


def _refused(status: int, kind: str, message: str, details: list[Any] | None = None) -> Plan:
    body = json.dumps(
        {"error": {"code": status, "message": message, "status": kind, "details": details or []}}
    ).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return Plan(raw=head.encode() + body)
