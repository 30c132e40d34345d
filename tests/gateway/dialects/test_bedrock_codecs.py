"""Converse's requests and answers by themselves: of the shape that Amazon's own service model takes."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import botocore
import msgspec
import pytest
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.bedrock.client import ConverseClient
from gateway.dialects.bedrock.content import read_system
from gateway.dialects.bedrock.outgoing import write_request
from gateway.dialects.bedrock.parse import parse
from gateway.dialects.bedrock.reader import read_answer
from gateway.dialects.bedrock.usage import usage_of, written_usage
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Failed,
    Format,
    Media,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from gateway.dialects.members import Members
from gateway.errors import RequestError
from gateway.types import Usage

MODEL_FILE = Path(botocore.__file__).parent / "data/bedrock-runtime/2023-09-30/service-2.json.gz"
MODEL = ServiceModel(json.loads(gzip.decompress(MODEL_FILE.read_bytes())), "bedrock-runtime")
CLAUDE = "eu.anthropic.claude-sonnet-4-20250514-v1:0"
NEWER = "eu.anthropic.claude-opus-4-7-v1:0"
PNG = base64.b64encode(b"\x89PNG").decode()


def test_what_is_written_is_what_boto_reads() -> None:
    thought = Thinking("Hm.", "sig", by="anthropic")
    answer = Answer("", "", [Choice([thought, Text("Four."), ToolCall("t1", "add", '{"x":1}')], "tools")], None)
    answer.usage = Usage(10, 3, 2, 9)
    body = ConverseClient().answer(cast(Any, None), answer)
    parser = create_parser("rest-json")
    parsed = parser.parse(
        {"status_code": 200, "headers": {}, "body": body}, MODEL.operation_model("Converse").output_shape
    )
    assert parsed["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"text": "Four."},
        {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"x": 1}}},
    ]
    assert parsed["stopReason"] == "tool_use" and parsed["usage"]["inputTokens"] == 5
    again = read_answer(body)
    assert isinstance(again, Answer) and again.usage == Usage(10, 3, 2, 9)
    assert again.choices[0].parts[1:] == answer.choices[0].parts[1:]


def test_arguments_that_were_cut_off_are_not_told_as_none() -> None:
    answer = Answer("", "", [Choice([ToolCall("t1", "remove", '{"path": "/tm')], "tools")], Usage(3, output_tokens=2))
    written = json.loads(ConverseClient().answer(cast(Any, None), answer))
    (block,) = written["output"]["message"]["content"]
    assert block["toolUse"]["input"] == {"INVALID_JSON": '{"path": "/tm'}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
NAME = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
TITLE = st.from_regex(r"[a-zA-Z0-9-]{1,20}", fullmatch=True)  # what Converse takes as a document's name
JSON = st.dictionaries(TEXT, st.integers(-9, 9) | TEXT, max_size=3)
CACHE = st.sampled_from([0, 300])
TEXTS = st.builds(Text, TEXT, CACHE)
IMAGES = st.builds(Media, st.just("image"), st.sampled_from(["image/png", "image/jpeg"]), st.just(PNG), cache=CACHE)
DOCUMENTS = st.builds(
    Media, st.just("document"), st.sampled_from(["application/pdf", "text/plain"]), st.just(PNG), name=TITLE
)
CALLS = st.builds(ToolCall, NAME, NAME, JSON.map(lambda value: msgspec.json.encode(value).decode()), cache=CACHE)
RESULTS = st.builds(ToolResult, NAME, st.lists(TEXTS | IMAGES, min_size=1, max_size=2), st.booleans(), cache=CACHE)
THOUGHTS = st.builds(Thinking, TEXT, TEXT, by=st.just("anthropic"))
USER = st.builds(Message, st.just("user"), st.lists(TEXTS | IMAGES | DOCUMENTS | RESULTS, min_size=1, max_size=4))
MODEL_TURN = st.builds(Message, st.just("assistant"), st.lists(THOUGHTS | TEXTS | CALLS, min_size=1, max_size=4))
TOOLS = st.builds(Tool, NAME, TEXT, JSON, st.sampled_from([None, True]), CACHE)
REQUESTS = st.builds(
    Request,
    model=st.just("m"),
    messages=st.tuples(USER, MODEL_TURN, USER).map(list),
    system=st.lists(TEXTS, max_size=2),
    max_output_tokens=st.none() | st.integers(2_000, 9_000),
    tools=st.lists(TOOLS, min_size=1, max_size=2),
    tool_choice=st.sampled_from(["", "auto", "required"]),
    format=st.none() | st.builds(Format, JSON, NAME),
    thinking_tokens=st.sampled_from([None, 0, 1_500]),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(1, 9),
    stop=st.lists(TEXT, max_size=2),
)


@settings(max_examples=40)
@given(REQUESTS)
def test_requests_are_of_amazons_shape_and_read_back(asked: Request) -> None:
    body = write_request(asked, CLAUDE, 0)
    operation = MODEL.operation_model("Converse")
    params = as_params(json.loads(body)) | {"modelId": CLAUDE}
    report = ParamValidator().validate(params, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    sent = create_serializer("rest-json").serialize_to_request(params, operation)
    assert json.loads(sent["body"]) == json.loads(body), "botocore sends the same"
    again = ConverseClient().read(parse(Members(body), "m", False))
    for tool in asked.tools:
        tool.schema = tool.schema or {"type": "object", "properties": {}}
    if b'"thinking"' not in body:  # none is wanted, or the thought before a tool's call was lost
        asked.thinking_tokens = None
    asked.thoughts_wanted = bool(asked.thinking_tokens)
    uncached(asked)
    uncached(again)
    assert again == asked


def uncached(asked: Request) -> None:
    """Forget marks: the one of an inner part of a result is the result's own."""
    for part in [*asked.system, *asked.tools, *(part for message in asked.messages for part in message.parts)]:
        if not isinstance(part, Thinking):
            part.cache = 0
        for inner in part.parts if isinstance(part, ToolResult) else ():
            cast(Text, inner).cache = 0


def as_params(value: Any) -> Any:
    """Return a body as boto3 takes it: blobs as bytes."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item) if name in ("bytes", "redactedContent") else as_params(item)
            for name, item in value.items()
        }
    return [as_params(item) for item in value] if isinstance(value, list) else value


def asking(**changes: Any) -> Request:
    return Request(**{"model": "m", "messages": [Message("user", [Text("Hi")])], **changes})


def written(model: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(write_request(asking(model=model, **changes), model, 0))
    return body


@pytest.mark.parametrize(
    ("model", "changes", "fields"),
    [
        (CLAUDE, {"top_k": 5}, {"top_k": 5}),
        ("us.amazon.nova-lite-v1:0", {"top_k": 5}, {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-v1:0", {"top_k": 5}, {"k": 5}),
        (CLAUDE, {"thinking_tokens": 2_000}, {"thinking": {"type": "enabled", "budget_tokens": 2_000}}),
        (CLAUDE, {"effort": "high", "max_output_tokens": 3_000}, {"thinking": {"type": "enabled", "budget_tokens": 2_250}}),
        (NEWER, {"effort": "high"}, {"thinking": {"type": "adaptive"}}),
        (NEWER, {"thinking_tokens": 0}, None),
        (CLAUDE, {"effort": "none"}, None),
        (CLAUDE, {"thinking_tokens": 0}, None),
        ("openai.gpt-oss-120b-1:0", {"effort": "minimal"}, {"reasoning_effort": "low"}),
        (
            "us.amazon.nova-2-lite-v1:0",
            {"effort": "medium"},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
        ),
    ],
)  # fmt: skip
def test_what_models_take_beyond_converse(model: str, changes: dict[str, Any], fields: dict[str, Any] | None) -> None:
    assert written(model, **changes).get("additionalModelRequestFields") == fields


def test_newer_models_take_efforts() -> None:
    assert written(NEWER, effort="minimal")["outputConfig"] == {"effort": "low"}
    assert "outputConfig" not in written(CLAUDE, effort="minimal")


@pytest.mark.parametrize(
    ("model", "changes", "param"),
    [
        ("meta.llama3-1-8b-instruct-v1:0", {"top_k": 5}, "top_k"),
        ("meta.llama3-1-8b-instruct-v1:0", {"effort": "low"}, "reasoning_effort"),
        ("us.amazon.nova-2-lite-v1:0", {"effort": "high"}, "reasoning_effort"),
        (CLAUDE, {"effort": "high", "max_output_tokens": 500}, "reasoning_effort"),
        (CLAUDE, {"messages": [Message("user", [Media("image", url="https://x.example/a.png")])]}, "messages"),
        (CLAUDE, {"messages": [Message("user", [Media("audio", "audio/wav", data="AAAA")])]}, "messages"),
        (CLAUDE, {"messages": [Message("user", [Media("image", "image/tiff", data="AAAA")])]}, "messages"),
        (CLAUDE, {"messages": [Message("assistant", [ToolCall("a", "b", "[1]")])], "tools": [Tool("b")]}, "messages"),
    ],
)
def test_what_models_cannot_be_asked(model: str, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        write_request(asking(**changes), model, 0)
    assert caught.value.param == param


def test_tools_that_are_not_to_be_used_are_left_out() -> None:
    tools = [Tool("add")]
    assert "toolConfig" not in json.loads(write_request(asking(tools=tools, tool_choice="none"), CLAUDE, 0))
    used = [Message("assistant", [ToolCall("a", "add", "{}")]), Message("user", [ToolResult("a", [Text("2")])])]
    with pytest.raises(RequestError):
        write_request(asking(tools=tools, tool_choice="none", messages=used), CLAUDE, 0)


def test_thought_of_other_vendors_is_left_out() -> None:
    thoughts: list[Any] = [
        Thinking("a"),
        Thinking("b", "s", by="gemini"),
        Thinking("c", "s", by="anthropic"),
        Text("d"),
    ]
    messages = [Message("assistant", thoughts)]
    assert written(CLAUDE, messages=messages)["messages"][0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "c", "signature": "s"}}},
        {"text": "d"},
    ]
    assert written("amazon.nova-lite-v1:0", messages=messages)["messages"][0]["content"] == [{"text": "d"}]


@pytest.mark.parametrize(
    ("stop", "meaning"),
    [
        ("end_turn", "end"),
        ("guardrail_intervened", "filtered"),
        ("content_filtered", "filtered"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("malformed_tool_use", "filtered"),
        ("not_yet_invented", "filtered"),
    ],
)
def test_stops(stop: str, meaning: str) -> None:
    answer = read_answer(
        json.dumps({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": stop}).encode()
    )
    assert isinstance(answer, Answer) and answer.choices[0].stop == meaning


def test_bodies_that_are_no_answers() -> None:
    assert read_answer(b"<html>") is None and read_answer(b"{}") is None
    failed = read_answer(b'{"message": "Oh."}')
    assert isinstance(failed, Failed) and failed.error == {"message": "Oh."}


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        ({"inputTokens": 5, "outputTokens": 9}, Usage(5, 0, 0, 9)),
        ({"inputTokens": 0, "outputTokens": 9, "cacheReadInputTokens": 7}, Usage(7, 7, 0, 9)),
        ({"inputTokens": 5, "outputTokens": 9, "cacheWriteInputTokens": 7}, Usage(12, 0, 7, 9)),
        ({"inputTokens": -5, "outputTokens": "9"}, None),
        (None, None),
        ([], None),
    ],
)
def test_usage(given: object, usage: Usage | None) -> None:
    assert usage_of(given) == usage
    if usage:
        assert usage_of(written_usage(usage)) == usage


READ_ALL: list[tuple[dict[str, Any], Callable[[Request], Any], Any]] = [
    ({"toolConfig": {"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {}}}}], "toolChoice": {"tool": {"name": "a"}}}},
     lambda asked: (asked.tool_choice, asked.tool_name), ("named", "a")),
    ({"outputConfig": {"effort": "low"}}, lambda asked: asked.effort, "low"),
    ({"additionalModelRequestFields": {"k": 4}}, lambda asked: asked.top_k, 4),
    ({"additionalModelRequestFields": {"inferenceConfig": {"topK": 4}}}, lambda asked: asked.top_k, 4),
    ({"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}, lambda asked: asked.thinking_tokens, 0),
    ({"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}}, lambda asked: asked.effort, "high"),
    ({"additionalModelRequestFields": {"reasoning_effort": "low"}}, lambda asked: asked.effort, "low"),
    ({"requestMetadata": {"a": "b"}}, lambda asked: asked.user, ""),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "look", "found"), READ_ALL)
def test_what_is_read(changes: dict[str, Any], look: Callable[[Request], Any], found: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], **changes}).encode()
    assert look(ConverseClient().read(parse(Members(body), "m", True))) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": [{"role": "system", "content": [{"text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"guardContent": {"text": {"text": "x"}}}]}]},
        {"messages": [{"role": "user", "content": [{"image": {"format": "bmp", "source": {"bytes": "AA"}}}]}]},
        {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {}}}]}]},
        {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
        {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled"}}},
        {"additionalModelRequestFields": {"thinking": {"type": "profound"}}},
        {"outputConfig": {"effort": "colossal"}},
        {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}}},
    ],
)
def test_what_others_cannot_say_is_refused(changes: dict[str, Any]) -> None:
    body = json.dumps({"messages": [], **changes}).encode()
    with pytest.raises(RequestError):
        ConverseClient().read(parse(Members(body), "m", True))


def test_bounds() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "A" * 1_000_000}}}
    plain = json.dumps({"messages": [{"role": "user", "content": [image]}]}).encode()
    assert parse(Members(plain), "m", False).prompt_bound < 50_000
    pdf = {"document": {"format": "pdf", "name": "a", "source": {"bytes": "AAAA"}}}
    result = {"toolResult": {"toolUseId": "a", "content": [pdf]}}
    hidden = json.dumps({"messages": [{"role": "user", "content": [result]}]}).encode()
    assert parse(Members(hidden), "m", False).window_bound


def test_a_seed_of_nothing_is_a_seed() -> None:
    with pytest.raises(RequestError) as refused:
        write_request(Request(CLAUDE, [Message("user", [Text("x")])], seed=0), CLAUDE, 0)
    assert refused.value.param == "seed"


def test_a_picture_among_instructions_is_refused_and_not_dropped() -> None:
    picture = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
    with pytest.raises(RequestError, match="must be text there"):
        read_system([{"text": "Be brief."}, picture])


def test_only_what_the_client_can_send_back_to_its_signer_is_shown_as_signed() -> None:
    """A Converse client's thought comes back without a name, and is taken for Claude's."""
    shown = Answer("", "", [Choice([Thinking("Hm", "R0VNSU5J", by="gemini")], "end")], None)
    assert b"R0VNSU5J" not in ConverseClient().answer(parse(Members(b'{"messages": []}'), "m", False), shown)
