"""Cohere's answers, whole and streamed: read however they are cut, and charged as Cohere bills."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.anthropic.writer import MessagesWriter
from gateway.dialects.canonical import (
    Answer,
    Begun,
    Choice,
    Delta,
    Ended,
    Event,
    Failed,
    Finished,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    Used,
)
from gateway.dialects.chat.writer import ChatWriter
from gateway.dialects.cohere.answer import read_answer
from gateway.dialects.cohere.reader import CohereReader
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.openai_usage import generated
from gateway.types import Usage
from tests.gateway.dialects.speaking import chunks, cut, golden

ID = "5a50480a-cf52-46f0-af01-53d18539bd31"
PLAN = "I will look it up."


def read(data: bytes, places: list[int] | None = None) -> list[Event]:
    reader = CohereReader()
    events = [event for piece in cut(data, places or []) for event in reader.feed(piece)]
    return events + reader.end()


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


@given(st.sampled_from(["text", "tools", "reasoning"]), st.lists(st.integers(0, 5000), max_size=40))
def test_however_it_is_cut_the_events_are_the_same(name: str, places: list[int]) -> None:
    assert read(golden("cohere", name), places) == read(golden("cohere", name))


def test_text_with_citations() -> None:
    assert read(golden("cohere", "text")) == [
        Begun(ID, ""),
        Started(0, Text("")), Delta(0, "Quito"), Delta(0, ", "), Delta(0, 'é"\n'), Ended(0),
        Used(Usage(5, output_tokens=3)), Stopped("end"), Finished(),
    ]  # fmt: skip


def test_a_plan_and_calls_of_tools() -> None:
    assert read(golden("cohere", "tools"))[1:] == [
        Started(0, Text("")), Delta(0, "I will"), Delta(0, " look it up."), Ended(0),
        Started(1, ToolCall("weather_k88p0m", "weather", "")),
        Delta(1, "{\n"), Delta(1, '    "city": '), Delta(1, '"Lima"'), Delta(1, "\n}"), Ended(1),
        Started(2, ToolCall("now_y46ar1", "now", "")), Delta(2, "{}"), Ended(2),
        Used(Usage(46, output_tokens=14)), Stopped("tools"), Finished(),
    ]  # fmt: skip


def test_thought_is_billed_as_output() -> None:
    events = read(golden("cohere", "reasoning"))
    assert [one.part for one in events if isinstance(one, Started)] == [Thinking(by="cohere"), Text("")]
    assert Used(Usage(8, output_tokens=578)) in events


def test_as_other_clients_read_it() -> None:
    told = chunks(MessagesWriter().write(read(golden("cohere", "tools"))))
    blocks = [one["content_block"]["type"] for one in told if one["type"] == "content_block_start"]
    assert blocks == ["text", "tool_use", "tool_use"]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"
    assert chunks(ChatWriter(usage_wanted=True).write(read(golden("cohere", "reasoning"))))[-1] == "[DONE]"


def test_what_came_of_a_broken_stream_can_be_counted() -> None:
    found = b"".join(generated(golden("cohere", "tools")))
    assert found.startswith(b"I will look it up.") and b"Lima" in found


@pytest.mark.parametrize(
    ("tail", "failed"),
    [
        (event("message-end", delta={"finish_reason": "ERROR", "error": "Oh."}), {"message": "Oh.", "type": "api_error"}),
        (b'data: {"message": "Overloaded."}\n\n', {"message": "Overloaded.", "type": "api_error"}),
        (b"data: <html>\n\n", {"message": "The provider sent an event that is not JSON.", "type": "api_error"}),
    ],
)  # fmt: skip
def test_streams_that_fail(tail: bytes, failed: dict[str, str]) -> None:
    head = event("message-start", id="a") + event(
        "content-delta", index=0, delta={"message": {"content": {"text": "x"}}}
    )
    assert read(head + tail)[-1] == Failed(failed)
    assert not any(isinstance(one, Failed | Finished) for one in read(head)), "it only breaks off"


def test_a_part_that_goes_on_after_its_end_fails() -> None:
    call = {"message": {"tool_calls": {"id": "a", "function": {"name": "f", "arguments": "{}"}}}}
    start, end = event("tool-call-start", index=0, delta=call), event("tool-call-end", index=0)
    more = {"message": {"tool_calls": {"function": {"arguments": "!"}}}}
    assert isinstance(read(start + end + event("tool-call-delta", index=0, delta=more))[-1], Failed)
    twice = [one.part for one in read(start + start) if isinstance(one, Started)]
    assert twice == [ToolCall("a", "f", "")] * 2, "a new call ends the one before"


def test_a_whole_answer() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": None}}
    message = {
        "role": "assistant", "tool_plan": PLAN, "tool_calls": [call],
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}],
    }  # fmt: skip
    usage = {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 500}}
    body = json.dumps({"id": "a", "message": message, "finish_reason": "TOOL_CALL", "usage": usage}).encode()
    parts = [Thinking("Hm.", by="cohere"), Text("Yes."), Text(PLAN), ToolCall("t1", "f", "{}")]
    assert read_answer(body) == Answer("a", "", [Choice(parts, "tools")], Usage(5, output_tokens=2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [("COMPLETE", "end"), ("MAX_TOKENS", "length"), ("STOP_SEQUENCE", "stop_sequence"), ("TIMEOUT", "filtered"), ("NEW", "filtered")],
)  # fmt: skip
def test_stops(reason: str, meaning: str) -> None:
    answer = read_answer(json.dumps({"message": {"content": []}, "finish_reason": reason}).encode())
    assert isinstance(answer, Answer) and answer.choices[0].stop == meaning


def test_bodies_that_are_no_answers() -> None:
    assert read_answer(b"<html>") is None and read_answer(b"{}") is None
    assert read_answer(b'{"id": "x", "message": "invalid request"}') == Failed({"message": "invalid request"})


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        ({"billed_units": {"input_tokens": 5.0, "output_tokens": 2.0}, "tokens": {"input_tokens": 500}}, Usage(5, output_tokens=2)),
        ({"tokens": {"input_tokens": 500, "output_tokens": 5}, "cached_tokens": 448}, Usage(500, 448, 0, 5)),
        ({"billed_units": {"input_tokens": 7}}, Usage(7)),
        ({"billed_units": {"search_units": 1}}, None),
        (None, None),
    ],
)  # fmt: skip
def test_what_is_billed_counts(given: object, usage: Usage | None) -> None:
    assert usage_of(given) == usage
