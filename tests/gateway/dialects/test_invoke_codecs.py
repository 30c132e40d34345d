"""InvokeModel's bodies and frames by themselves: what is served, how it is read, and what Amazon's and Anthropic's SDKs make of it."""

import base64
import json
from typing import Any

import pytest
from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import registry
from gateway.dialects.anthropic.reader import MessagesReader
from gateway.dialects.bedrock import invoke
from gateway.dialects.bedrock.embeddings import InvokeEmbedLane, parse, prompt
from gateway.dialects.bedrock.invoke_lane import METRICS, InvokeClient, InvokeLane, InvokeStream
from gateway.dialects.members import Members
from gateway.dialects.translation import Translated
from gateway.endpoints import CONVERSE, INVOKE, INVOKE_EMBED, INVOKE_STREAM
from gateway.errors import RequestError, UpstreamError
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import cut, golden
from tests.upstream import bedrock

ARN = "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.anthropic.claude-sonnet-4-v1:0"
BODY: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}],
}  # fmt: skip
CLAUDE = make.deployment("https://b.example", dialect="bedrock", upstream_model=ARN)
TITAN = {"inputText": "one two", "dimensions": 256, "normalize": True}
COHERE = {"texts": ["one", "two"], "input_type": "search_query"}


def asked(body: dict[str, Any], streamed: bool = False) -> Any:
    return invoke.parse(Members(json.dumps(body).encode()), "m", streamed)


def frames(name: str) -> bytes:
    """Return a recorded stream of Anthropic's as Amazon frames it."""
    events = [event for event in golden("anthropic", name).split(b"\n\n") if event.strip()]
    packed = [base64.b64encode(event.partition(b"data: ")[2]).decode() for event in events]
    return b"".join(bedrock.event("chunk", {"bytes": one, "p": "abcd"}) for one in packed)


@given(st.sampled_from(["basic", "cache", "tool_use", "refusal"]), st.lists(st.integers(0, 9000), max_size=20))
def test_frames_pass_however_they_are_cut(name: str, places: list[int]) -> None:
    stream, whole = InvokeStream(), InvokeLane().stream(asked(BODY, True))
    sent = frames(name)
    assert b"".join(stream.feed(piece) for piece in cut(sent, places)) == sent == whole.feed(sent)
    assert stream.done and stream.usage is not None and stream.usage == whole.usage
    assert stream.prompt_usage == whole.prompt_usage and stream.made == whole.made


def test_usage_is_what_the_message_says_else_what_amazon_says() -> None:
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 4}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop", METRICS: {"inputTokenCount": 1, "outputTokenCount": 2, "cacheReadInputTokenCount": 5}},
    ]
    for said, usage in ((events, Usage(7, 4, output_tokens=9)), (events[2:], Usage(6, 5, output_tokens=2))):
        stream = InvokeStream()
        for event in said:
            stream.feed(
                bedrock.event("chunk", {"bytes": base64.b64encode(json.dumps(event, indent=1).encode()).decode()})
            )
        assert stream.done and stream.usage == usage


def test_streams_that_fail() -> None:
    stream = InvokeStream()
    assert stream.feed(frames("basic")[:-200]) and not stream.end() and not stream.done, "it only breaks off"
    failed = InvokeStream()
    assert failed.feed(bedrock.exception("throttlingException", "Wait.") + frames("basic")) == b""
    assert failed.error == {"message": "Wait.", "type": "throttlingException", "code": 429}
    with pytest.raises(UpstreamError, match="base64"):
        InvokeStream().feed(bedrock.event("chunk", {"bytes": "%"}))


@pytest.mark.parametrize("name", ["basic", "tool_use"])
def test_what_is_written_is_what_anthropics_sdk_reads(name: str) -> None:
    reader = MessagesReader()
    events = reader.feed(golden("anthropic", name)) + reader.end()
    writer = InvokeClient().writer(asked(BODY, True))
    written = b"".join(writer.write([event]) for event in events)
    told = [json.loads(one.data) for one in AWSEventStreamDecoder().iter_bytes(iter([written]))]
    assert told[0]["type"] == "message_start" and told[-1]["type"] == "message_stop"
    read = InvokeStream()
    read.feed(written)
    assert read.done and read.usage is not None
    assert told[-1][METRICS]["outputTokenCount"] == read.usage.output_tokens


def test_bytes_pass_but_for_betas_that_may_cost() -> None:
    body = b'{ "anthropic_version":"bedrock-2023-05-31", "max_tokens":5,"messages":[], "temperature":0.10 }'
    outbound = InvokeLane().outbound(invoke.parse(Members(body), "m", False), CLAUDE, 0, {})
    assert outbound.body == body and outbound.path.startswith("/model/arn%3Aaws") and outbound.path.endswith("/invoke")
    streamed = InvokeLane().outbound(asked(BODY, True), CLAUDE, 0, {})
    assert streamed.path.endswith("/invoke-with-response-stream")
    betas = ["interleaved-thinking-2025-05-14", "fast-mode-2026-02-01"]
    told = InvokeLane().outbound(asked(BODY | {"anthropic_beta": betas}), CLAUDE, 0, {})
    assert json.loads(told.body)["anthropic_beta"] == betas[:1]
    with pytest.raises(RequestError, match="context-1m"):
        InvokeLane().outbound(asked(BODY | {"anthropic_beta": ["context-1m-2025-08-07"]}), CLAUDE, 0, {})


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": "x"}, "model"), ({"stream": True}, "stream"), ({"max_tokens": None}, "max_tokens"),
        ({"anthropic_beta": "x"}, "anthropic_beta"), ({"mcp_servers": []}, "mcp_servers"), ({"surprise": 1}, "surprise"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        asked(BODY | changes)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("body", "served"),
    [
        (BODY, INVOKE), (TITAN, INVOKE_EMBED), (COHERE, INVOKE_EMBED),
        ({"inputText": "Hi", "textGenerationConfig": {}}, None), ({"prompt": "Hi", "max_gen_len": 5}, None), ({}, None),
    ],
)  # fmt: skip
def test_the_body_says_what_is_meant(body: dict[str, Any], served: object) -> None:
    members = Members(json.dumps(body).encode())
    if served is None:
        with pytest.raises(RequestError, match=r"Served here are.*converse"):
            invoke.meant(members, INVOKE)
        return
    assert invoke.meant(members, INVOKE) is served
    if served is INVOKE_EMBED:
        with pytest.raises(RequestError, match="one piece"):
            invoke.meant(members, INVOKE_STREAM)


def test_headers_that_bill_apart() -> None:
    body = json.dumps(BODY).encode()
    assert invoke.read(body, {b"x-amzn-bedrock-service-tier": b"default"}).body == body
    for name, value in ((b"x-amzn-bedrock-guardrailidentifier", b"g"), (b"x-amzn-bedrock-service-tier", b"priority")):
        with pytest.raises(RequestError, match="Leave it out"):
            invoke.read(body, {name: value})


def test_only_claude_is_invoked_and_others_are_asked_by_converse() -> None:
    assert isinstance(registry.lane_of(INVOKE, CLAUDE), InvokeLane)
    for place in (make.deployment("", dialect="bedrock", upstream_model="amazon.nova-lite-v1:0"), make.deployment("")):
        assert isinstance(registry.lane_of(INVOKE_STREAM, place), Translated)
    assert registry.lane_of(CONVERSE, CLAUDE) is not None
    for dialect in registry.PROVIDERS:
        lane = registry.lane_of(INVOKE_EMBED, make.deployment("", dialect=dialect))
        assert (lane is not None) is (dialect == "bedrock")


def test_embeddings_pass_as_they_are() -> None:
    for body, answer, usage in (
        (TITAN, {"embedding": [0.5], "inputTextTokenCount": 2}, Usage(2)),
        (COHERE, {"embeddings": [[0.5], [1]], "texts": ["one", "two"]}, None),
    ):
        request = parse(Members(json.dumps(body).encode()), "m")
        assert InvokeEmbedLane().outbound(request, CLAUDE, 0, {}).body == json.dumps(body).encode()
        whole = InvokeEmbedLane().whole(request, json.dumps(answer).encode())
        assert whole is not None and json.loads(whole.body) == answer and whole.usage == usage
        assert prompt(request).bound <= request.prompt_bound
    for wrong in (
        {"texts": []},
        {"inputText": "a", "inputImage": "x"},
        {"texts": ["a"], "images": ["x"]},
        {"texts": [1]},
    ):
        with pytest.raises(RequestError):
            parse(Members(json.dumps(wrong).encode()), "m")
