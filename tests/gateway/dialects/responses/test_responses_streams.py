"""Streams of Responses: relayed byte for byte, and written so that OpenAI's own types take every event."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.dialects.anthropic.reader import MessagesReader
from gateway.dialects.canonical import (
    Answer,
    Begun,
    Choice,
    Delta,
    Ended,
    Event,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.openai_answer import status_of
from gateway.dialects.responses.answer import write_answer
from gateway.dialects.responses.lane import ResponsesLane
from gateway.dialects.responses.parse import parse
from gateway.dialects.responses.relayed import ResponsesStream
from gateway.dialects.responses.writer import ResponsesWriter, failed
from gateway.types import Usage
from tests.gateway.dialects.speaking import chunks, cut, golden, parsed

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PLACES = st.lists(st.integers(0, 6000), max_size=40)
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
INNER = {"type": "function", "name": "close", "parameters": {"type": "object"}, "strict": False}
TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "patch", "description": "Patch.", "format": GRAMMAR},
    {"type": "namespace", "name": "agents", "description": "Agents.", "tools": [INNER]},
    {"type": "tool_search", "execution": "client", "description": "Find.", "parameters": {"type": "object"}},
]
REQUEST = parsed(parse, {"model": "m", "input": "Hi", "instructions": "Be brief.", "tools": TOOLS, "store": True})
PARTS: list[Text | Thinking | ToolCall] = [
    Thinking("hmm", "sig", by="anthropic"), Text("Hé"), ToolCall("c1", "f", '{"x":1}'),
    ToolCall("c2", "patch", '{"input":"*** \\"a\\""}'), ToolCall("c3", "agents__close", "{}"),
    ToolCall("c4", "tool_search", '{"query":"x"}'),
]  # fmt: skip
USAGE = Usage(9, 2, 1, 4, 3)


def streamed(stop: Any = "tools") -> list[Event]:
    """Return the parts as a stream."""
    events: list[Event] = [Begun("c", "gpt", created=5)]
    for index, part in enumerate(PARTS):
        text = part.arguments if isinstance(part, ToolCall) else part.text
        begun: Text | Thinking | ToolCall = Thinking(by="anthropic") if isinstance(part, Thinking) else Text("")
        events.append(Started(index, ToolCall(part.id, part.name, "") if isinstance(part, ToolCall) else begun))
        events += [Delta(index, text[:1]), Delta(index, text[1:])]
        events += [Delta(index, signature="sig")] if isinstance(part, Thinking) else []
        events.append(Ended(index))
    return [*events, Stopped(stop), Used(USAGE), Finished()]


def relayed(data: bytes, places: list[int]) -> tuple[bytes, ResponsesStream]:
    """Relay a stream cut at these places."""
    stream = ResponsesStream()
    passed = b"".join(stream.feed(piece) for piece in cut(data, places))
    return passed + stream.end(), stream


@given(places=PLACES)
def test_however_it_is_cut_the_bytes_pass_and_the_usage_is_known(places: list[int]) -> None:
    data = golden("responses", "streaming")
    passed, stream = relayed(data, places)
    assert passed == data
    assert stream.done and stream.error is None and stream.usage == Usage(37, output_tokens=11)
    assert stream.fragments() == [b"Hi"]  # what later events say again is not counted again


@pytest.mark.parametrize(
    ("event", "message", "status"),
    [
        ({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "Slow."}}}, "Slow.", 429),
        ({"type": "response.failed", "response": {"status": "failed"}}, "The provider says that the response failed.", 502),
        ({"type": "error", "code": "server_error", "message": "Oops.", "param": None}, "Oops.", 502),
        ({"type": "error", "error": {"type": "server_error", "message": "Oops."}}, "Oops.", 502),
    ],
)  # fmt: skip
@given(places=PLACES)
def test_a_failure_is_held_back(event: dict[str, Any], message: str, status: int, places: list[int]) -> None:
    before = golden("responses", "streaming").partition(b"event: response.output_text.done")[0]
    _, stream = relayed(before + b"data: " + json.dumps(event).encode() + b"\n\nevent: x\ndata: {}\n\n", places)
    passed, _ = relayed(before, [])
    assert passed == before
    assert isinstance(stream.error, dict) and stream.error["message"] == message
    assert status_of(stream.error) == status and not stream.done


def test_the_last_event_may_be_large() -> None:
    text = json.dumps(
        {"type": "response.completed", "response": {"output": "x" * 1_000_000, "usage": {"input_tokens": 3}}}
    )
    data = f"event: response.completed\ndata: {text}\n\n".encode()
    passed, stream = relayed(data, list(range(0, len(data), 65_536)))
    assert passed == data and stream.done and stream.usage == Usage(3)


def test_a_stream_without_its_last_event_is_not_done() -> None:
    data = golden("responses", "streaming").partition(b"event: response.completed")[0]
    assert not relayed(data, [])[1].done


def test_every_event_is_one_of_openais() -> None:
    written = chunks(ResponsesWriter(REQUEST).write(streamed()))
    for event in written:
        EVENT.validate_python(event, strict=False)
    assert [event["sequence_number"] for event in written] == list(range(len(written)))
    kinds = [event["type"].removeprefix("response.") for event in written]
    assert kinds == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "output_item.done",
        "completed",
    ]  # fmt: skip


def test_the_lines_name_their_events() -> None:
    stream = ResponsesWriter(REQUEST).write(streamed()).decode()
    for event in stream.strip().split("\n\n"):
        named, data = event.split("\n")
        assert named == "event: " + json.loads(data.removeprefix("data: "))["type"]


def told(response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the output without ids, which are made anew."""
    return [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]


def test_streamed_and_whole_answers_say_the_same() -> None:
    whole = json.loads(write_answer(REQUEST, Answer("c", "gpt", [Choice(list(PARTS), "tools")], USAGE, 5)))
    last = chunks(ResponsesWriter(REQUEST).write(streamed()))[-1]["response"]
    Response.model_validate(whole)
    assert told(whole) == told(last)
    assert {name: whole[name] for name in whole if name not in ("id", "output", "completed_at")} == {
        name: last[name] for name in last if name not in ("id", "output", "completed_at")
    }
    assert whole["usage"] == {
        "input_tokens": 9, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}, "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 13,
    }  # fmt: skip
    assert (whole["store"], whole["instructions"], whole["status"], whole["created_at"]) == (
        False,
        "Be brief.",
        "completed",
        5,
    )
    thought, _, call, patch, close, search = told(whole)
    assert (search["type"], search["arguments"], search["execution"]) == ("tool_search_call", {"query": "x"}, "client")
    assert thought["encrypted_content"] == "atrium:signed:anthropic:sig"
    assert (call["name"], call["arguments"], call["call_id"]) == ("f", '{"x":1}', "c1")
    assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "patch", '*** "a"')
    assert (close["name"], close["namespace"]) == ("close", "agents")


@pytest.mark.parametrize(("stop", "reason"), [("length", "max_output_tokens"), ("filtered", "content_filter")])
def test_an_answer_that_is_cut_off_is_incomplete(stop: Any, reason: str) -> None:
    last = chunks(ResponsesWriter(REQUEST).write(streamed(stop)))[-1]
    EVENT.validate_python(last)
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": reason}
    assert last["response"]["output"][-1]["status"] == "incomplete"


@pytest.mark.parametrize("name", ["basic", "tool_use"])
@given(places=PLACES)
def test_a_recorded_message_becomes_a_response(name: str, places: list[int]) -> None:
    reader, writer = MessagesReader(), ResponsesWriter(REQUEST)
    pieces = [writer.write(reader.feed(piece)) for piece in cut(golden("anthropic", name), places)]
    written = chunks(b"".join(pieces) + writer.write(reader.end()))
    for event in written:
        EVENT.validate_python(event)
    said = "".join(event["delta"] for event in written if event["type"] == "response.output_text.delta")
    texts = [item["content"][0]["text"] for item in written[-1]["response"]["output"] if item["type"] == "message"]
    assert said == "".join(texts) != ""


def test_a_failure_after_the_start_is_a_failed_response() -> None:
    [event] = chunks(failed(b'{"error":{"message":"No.","code":"server_error","request_id":"req_1"}}'))
    assert event["type"] == "response.failed" and event["response"]["status"] == "failed"
    assert event["response"]["error"]["message"] == "No."


def test_whole_answers_tell_usage_or_what_failed() -> None:
    lane = ResponsesLane()
    done = lane.whole(REQUEST, b'{"status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":2}}')
    assert done is not None and done.usage == Usage(3, output_tokens=2) and done.error is None
    broke = lane.whole(REQUEST, b'{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow."}}')
    assert (
        broke is not None and broke.status == 429 and broke.error == {"code": "rate_limit_exceeded", "message": "Slow."}
    )
    assert lane.whole(REQUEST, b"<html>") is None
