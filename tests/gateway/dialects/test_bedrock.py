"""Amazon Bedrock's Converse through a gateway: native, from OpenAI's clients, and to OpenAI's providers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from openai import APIError, BadRequestError

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.upstream import FakeUpstream, Plan

KEYS = json.dumps({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "hush-hush-hush-hush"})
ARN = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Say hello."}]}]
CACHED = {"inputTokens": 10, "totalTokens": 125, "cacheReadInputTokens": 90, "cacheWriteInputTokens": 20}
TOOL = {"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}
OPENAI_TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
def start_bedrock(start_gateway: StartGateway, upstream: FakeUpstream) -> Callable[..., LiveGateway]:
    """Start gateways whose provider is Bedrock."""

    def start(**changes: Any) -> LiveGateway:
        place = {
            "dialect": "bedrock",
            "base_url": upstream.url.removesuffix("/v1"),
            "upstream_model": ARN,
            "credential": KEYS,
            "options": {"region": "eu-central-1"},
            **changes,
        }
        return start_gateway(deployment=place)

    return start


@pytest.fixture
def bedrock(start_bedrock: Callable[..., LiveGateway]) -> LiveGateway:
    """A gateway whose provider is Bedrock."""
    return start_bedrock()


def converse(gateway: LiveGateway, operation: str = "converse", **changes: Any) -> Any:
    return gateway.client.post(f"/model/chat-small/{operation}", json={"messages": MESSAGES, **changes})


def frames(body: bytes) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Return headers and payloads, as botocore reads them: it checks every checksum."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return [(message.headers, json.loads(message.payload)) for message in buffer]


def test_a_call_is_signed_and_named_in_the_path(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    body = b'{ "messages" : [{"role":"user","content":[{"text":"Hi"}]}],  "inferenceConfig":{"temperature":0.10} }'
    answer = bedrock.client.post("/model/chat-small/converse", content=body)
    assert answer.status_code == 200
    assert answer.json()["output"]["message"]["content"] == [{"text": "word0 word1 word2 word3 word4"}]
    (request,) = upstream.received
    quoted = (
        "arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude-sonnet-4-v1%3A0"
    )
    assert request.target == f"/model/{quoted}/converse"
    assert request.body == body.replace(b'{"temperature":0.10}', b'{"temperature":0.10,"maxTokens":4096}')
    assert (request.header("authorization") or "").startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in (request.header("authorization") or "")


def test_a_bedrock_api_key_is_a_bearer(start_bedrock: Callable[..., LiveGateway], upstream: FakeUpstream) -> None:
    assert converse(start_bedrock(credential="ABSKexample")).status_code == 200
    assert upstream.received[0].header("authorization") == "Bearer ABSKexample"


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
def test_caches_are_part_of_the_prompt(bedrock: LiveGateway, upstream: FakeUpstream, operation: str) -> None:
    upstream.script(Plan(tokens=CACHED, completion_tokens=5))
    assert converse(bedrock, operation).status_code == 200
    closed = bedrock.journal.records[-1]
    assert (closed.input_tokens, closed.cached_tokens, closed.cache_write_tokens) == (120, 90, 20)
    # 30 plain and written tokens at 0.15 USD a million, 90 cached at 0.075, 5 out at 0.60
    assert (closed.output_tokens, closed.cost_nano_usd) == (5, 30 * 150 + 90 * 75 + 5 * 600)


def test_a_stream_passes_as_it_is(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    answer = converse(bedrock, "converse-stream")
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    got = frames(answer.content)
    assert [headers[":event-type"] for headers, _ in got] == [
        "messageStart",
        *["contentBlockDelta"] * 5,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert got[0][1]["p"] == "abcdefgh", "padding included"
    assert upstream.received[0].header("accept") == "application/vnd.amazon.eventstream"
    assert bedrock.journal.records[-1].output_tokens == 5


def test_usage_that_is_not_said_is_counted(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    for operation in ("converse", "converse-stream"):
        upstream.script(Plan(usage="none", text="one two three"))
        assert converse(bedrock, operation).status_code == 200
        closed = bedrock.journal.records[-1]
        assert closed.estimated and closed.output_tokens == 3 and closed.input_tokens > 3


@pytest.mark.parametrize("client", ["bedrock", "openai"])
def test_an_exception_in_the_stream(bedrock: LiveGateway, upstream: FakeUpstream, client: str) -> None:
    upstream.script(Plan(error_inside=True))
    if client == "bedrock":
        headers, payload = frames(converse(bedrock, "converse-stream").content)[-1]
        assert (headers[":message-type"], headers[":exception-type"]) == ("exception", "throttlingException")
        assert payload["message"] == "Too many tokens, please wait before trying again."
        assert payload["source"] == "provider"
    else:
        body = bedrock.chat(stream=True).text
        assert "Too many tokens" in body and "[DONE]" not in body
    closed = bedrock.journal.records[-1]
    assert (closed.status, closed.estimated, closed.output_tokens > 0) == (429, True, True)


@pytest.mark.parametrize("client", ["bedrock", "openai"])
def test_a_damaged_frame_ends_the_stream(bedrock: LiveGateway, upstream: FakeUpstream, client: str) -> None:
    upstream.script(Plan(malformed=True, chunk_delay=0.05))
    if client == "bedrock":
        headers, payload = frames(converse(bedrock, "converse-stream").content)[-1]
        assert headers[":exception-type"] == "modelStreamErrorException" and "damaged" in payload["message"]
    else:
        body = bedrock.chat(stream=True).text
        assert "damaged" in body and "[DONE]" not in body
    assert bedrock.journal.records[-1].estimated


@pytest.mark.parametrize("plan", [Plan(cut=3), Plan(end=3)])
def test_a_stream_that_breaks_off_is_never_ended_for_the_provider(
    bedrock: LiveGateway, upstream: FakeUpstream, plan: Plan
) -> None:
    upstream.script(plan)
    got = frames(converse(bedrock, "converse-stream").content)
    assert got[-1][0][":message-type"] == "exception"
    assert "messageStop" not in [headers.get(":event-type") for headers, _ in got]


def test_openai_clients(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tokens=CACHED, completion_tokens=5))
    answer = bedrock.openai().chat.completions.create(
        model="chat-small", messages=[{"role": "system", "content": "Be brief."}, *HELLO], stop=["."], temperature=0.5
    )
    assert answer.choices[0].message.content == "word0 word1 word2 word3 word4"
    assert answer.id and answer.model == "chat-small" and answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.prompt_tokens == 120 and answer.usage.completion_tokens == 5
    assert upstream.received[0].json() == {
        "messages": MESSAGES,
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 4096, "temperature": 0.5, "stopSequences": ["."]},
    }


def test_openai_clients_with_tools_in_a_stream(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True))
    stream = bedrock.openai().chat.completions.create(
        model="chat-small",
        messages=HELLO,
        tools=[OPENAI_TOOL],
        tool_choice="required",
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert "".join(delta.content or "" for delta in deltas) == "word0 word1 word2 word3 word4"
    assert [call.function.name for call in calls if call.function and call.function.name] == ["add"]
    assert json.loads("".join(call.function.arguments or "" for call in calls if call.function)) == {"x": 1}
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 5
    assert all(chunk.id == chunks[0].id for chunk in chunks)
    sent = upstream.received[0].json()
    assert sent["toolConfig"] == {"tools": [TOOL], "toolChoice": {"any": {}}}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"seed": 7}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [OPENAI_TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_converse_cannot_say_is_refused(
    bedrock: LiveGateway, upstream: FakeUpstream, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        bedrock.openai().chat.completions.create(model="chat-small", messages=HELLO, **changes)
    assert caught.value.param == param and "Amazon Bedrock" in str(caught.value)
    assert upstream.received == []


REFUSED: list[dict[str, Any]] = [
    {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
    {"promptVariables": {"a": {"text": "b"}}},
    {"serviceTier": {"type": "priority"}},
    {"performanceConfig": {"latency": "optimized"}},
    {"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}},
    {"toolConfig": {"tools": [TOOL, {"cachePoint": {"type": "default", "ttl": "1h"}}]}},
    {"system": [{"text": "x"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]},
    {"additionalModelRequestFields": {"max_tokens": 100_000}},
    {"additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]}},
    {"additionalModelRequestFields": {"inferenceConfig": {"maxTokens": 9}}},
    {"messages": [{"role": "user", "content": [{"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}]}]},
    {"messages": [{"role": "user", "content": [{"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}]}]},
    {
        "messages": [
            {"role": "user", "content": [{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}]}
        ]
    },
    {"inferenceConfig": {"maxTokens": 0}},
    {"inferenceConfig": {"maxTokens": "9"}},
    {"messages": "hi"},
    {"messages": None},
    {"Messages": MESSAGES},
    {"futureParameter": {}},
]


@pytest.mark.parametrize("changes", REFUSED, ids=lambda changes: json.dumps(changes)[:60])
def test_what_is_not_metered_is_refused(bedrock: LiveGateway, upstream: FakeUpstream, changes: dict[str, Any]) -> None:
    answer = converse(bedrock, **changes)
    assert answer.status_code == 400 and answer.json()["__type"] == "ValidationException"
    assert upstream.received == [] and bedrock.journal.records == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[],"inferenceConfig":{"maxTokens":1,"maxTokens":100000}}',
        b'{"messages":[],"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":1},"inferenceConfig":{"topK":1}}}',
    ],
)
def test_a_cap_that_is_said_twice_is_refused(bedrock: LiveGateway, upstream: FakeUpstream, body: bytes) -> None:
    answer = bedrock.client.post("/model/chat-small/converse", content=body)
    assert answer.status_code == 400 and "twice" in answer.json()["message"]
    assert upstream.received == []


def test_the_clients_own_cap_is_what_is_reserved(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    converse(bedrock, inferenceConfig={"maxTokens": 17})
    assert upstream.received[0].json()["inferenceConfig"] == {"maxTokens": 17}
    assert bedrock.journal.records[0].bound_output_tokens == 17


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/model/unknown/converse", 404, "ResourceNotFoundException"),
        ("/model/chat-small/count-tokens", 404, "ResourceNotFoundException"),
        ("/model/embed-small/converse", 403, "AccessDeniedException"),
    ],
)
def test_errors_are_amazons(bedrock: LiveGateway, path: str, status: int, kind: str) -> None:
    answer = bedrock.client.post(path, json={"messages": MESSAGES})
    body = answer.json()
    assert (answer.status_code, body["__type"], body["source"]) == (status, kind, "gateway")
    assert body["message"] and body["reason"]


def test_a_missing_key(bedrock: LiveGateway) -> None:
    answer = bedrock.stranger.post("/model/chat-small/converse", json={"messages": MESSAGES})
    assert (answer.status_code, answer.json()["__type"]) == (401, "UnrecognizedClientException")


@pytest.mark.parametrize("status", [400, 429, 500])
def test_errors_of_the_provider(bedrock: LiveGateway, upstream: FakeUpstream, status: int) -> None:
    upstream.script(Plan(status=status), Plan(status=status))
    assert converse(bedrock).status_code == status
    with pytest.raises(APIError):
        bedrock.openai().chat.completions.create(model="chat-small", messages=HELLO)
    assert [record.cost_nano_usd for record in bedrock.journal.records if hasattr(record, "cost_nano_usd")] == [0, 0]


def test_a_converse_client_of_an_openai_provider(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    answer = converse(
        gateway,
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5, "stopSequences": ["."]},
        toolConfig={"tools": [TOOL], "toolChoice": {"auto": {}}},
    )
    assert answer.json()["stopReason"] == "end_turn"
    assert answer.json()["output"]["message"] == {
        "role": "assistant",
        "content": [{"text": "word0 word1 word2 word3 word4"}],
    }
    usage = answer.json()["usage"]
    assert usage["outputTokens"] == 5 and usage["totalTokens"] == usage["inputTokens"] + 5
    sent = upstream.received[0].json()
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
    assert (sent["max_tokens"], sent["temperature"], sent["stop"]) == (50, 0.5, ["."])
    assert sent["tools"] == [OPENAI_TOOL] and sent["tool_choice"] == "auto"


def test_a_converse_stream_of_an_openai_provider(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True))
    got = frames(converse(gateway, "converse-stream", toolConfig={"tools": [TOOL]}).content)
    names = [headers[":event-type"] for headers, _ in got]
    assert names == [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert got[1][1]["start"]["toolUse"]["name"] == "add"
    assert json.loads(got[2][1]["delta"]["toolUse"]["input"]) == {"x": 1}
    assert got[4][1] == {"stopReason": "tool_use"}
    assert got[5][1]["usage"]["outputTokens"] > 0


def test_an_openai_provider_that_breaks_off(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(cut=2))
    headers, payload = frames(converse(gateway, "converse-stream").content)[-1]
    assert headers[":exception-type"] == "modelStreamErrorException" and payload["source"] == "gateway"


def test_anthropic_clients(bedrock: LiveGateway, upstream: FakeUpstream) -> None:
    body = {"model": "chat-small", "max_tokens": 9, "top_k": 3, "messages": HELLO}
    answer = bedrock.client.post("/v1/messages", json=body)
    assert answer.json()["content"] == [{"type": "text", "text": "word0 word1 word2 word3 word4"}]
    assert upstream.received[0].json()["additionalModelRequestFields"] == {"top_k": 3}


def test_nothing_of_the_credential_is_shown(bedrock: LiveGateway) -> None:
    place = make.deployment("https://b.example", credential=KEYS)
    assert "hush" not in repr(place) and "hush" not in repr(bedrock.runtime.credentials)
