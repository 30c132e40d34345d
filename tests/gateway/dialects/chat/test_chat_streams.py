"""Streamed chats of providers: read however they are cut, and the quirks of engines that speak the format."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.anthropic.writer import MessagesWriter
from gateway.dialects.canonical import (
    Answer,
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
from gateway.dialects.chat.answer import read_answer, write_answer
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.chat.writer import ChatWriter
from gateway.types import Usage
from tests.gateway.dialects.speaking import chunks, cut

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **extra: Any) -> bytes:
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return (
        b"data: " + json.dumps({"id": "c1", "model": "m", "created": 5, "choices": choices, **extra}).encode() + b"\n\n"
    )


def call(index: int | None, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "function", "function": {"arguments": arguments}}
    found |= {} if index is None else {"index": index}
    found |= {} if id is None else {"id": id}
    found["function"] |= {} if name is None else {"name": name}
    return {"tool_calls": [found]}


DONE = b"data: [DONE]\n\n"
THINKING = (
    chunk({"role": "assistant", "content": ""}) + chunk({"reasoning_content": "h"}) + chunk({"reasoning_content": "m"})
    + chunk({"content": "Hé"}) + chunk({"content": "llo"}) + chunk(call(0, "a", "f", "")) + chunk(call(0, None, None, '{"x":'))
    + chunk(call(0, None, None, "1}")) + chunk(call(1, "b", "g", "{}")) + chunk({}, "tool_calls") + chunk(usage=USAGE) + DONE
)  # fmt: skip


def read(data: bytes, places: list[int] | None = None) -> list[Event]:
    reader = ChatReader()
    events = [event for piece in cut(data, places or []) for event in reader.feed(piece)]
    return events + reader.end()


@given(places=st.lists(st.integers(0, 5000), max_size=40))
def test_however_it_is_cut_the_events_are_the_same(places: list[int]) -> None:
    assert read(THINKING, places) == read(THINKING)


def test_parts_follow_each_other() -> None:
    assert read(THINKING)[1:] == [
        Started(0, Thinking()), Delta(0, "h"), Delta(0, "m"), Ended(0),
        Started(1, Text("")), Delta(1, "Hé"), Delta(1, "llo"), Ended(1),
        Started(2, ToolCall("a", "f", "")), Delta(2, '{"x":'), Delta(2, "1}"), Ended(2),
        Started(3, ToolCall("b", "g", "")), Delta(3, "{}"), Ended(3),
        Stopped("tools"), Used(Usage(9, output_tokens=4)), Finished(),
    ]  # fmt: skip


def test_as_messages() -> None:
    written = chunks(MessagesWriter().write(read(THINKING)))
    kinds = [(one["type"], one.get("index")) for one in written]
    for number in range(4):
        assert kinds.index(("content_block_start", number)) < kinds.index(("content_block_stop", number))
        assert kinds.count(("content_block_stop", number)) == 1
    assert [one["content_block"]["type"] for one in written if one["type"] == "content_block_start"] == [
        "thinking", "text", "tool_use", "tool_use",
    ]  # fmt: skip
    assert written[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert written[-2]["usage"] == {
        "input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 4,
    }  # fmt: skip


def test_written_again_it_is_the_same_chat() -> None:
    again = ChatWriter(usage_wanted=True).write(read(THINKING))
    assert read(again) == read(THINKING)
    assert again.endswith(DONE)
    assert b'"usage":{' not in ChatWriter(usage_wanted=False).write(read(THINKING))


@pytest.mark.parametrize("calls", [
    [call(None, "a", "f", "{}"), call(None, "b", "g", "{}")],
    [call(0, "a", "f", "{}"), call(0, "b", "g", "{}")],
    [{"tool_calls": [*call(0, "a", "f", "{}")["tool_calls"], *call(1, "b", "g", "{}")["tool_calls"]]}],
])  # fmt: skip
def test_engines_that_number_calls_their_own_way(calls: list[dict[str, Any]]) -> None:
    events = read(b"".join(chunk(one) for one in calls) + chunk({}, "stop") + DONE)
    assert [event.part for event in events if isinstance(event, Started)] == [
        ToolCall("a", "f", ""),
        ToolCall("b", "g", ""),
    ]
    assert Stopped("tools") in events


INTERLEAVED = (
    chunk(call(0, "a", "f", '{"x"')),
    chunk(call(1, "b", "g", "{")),
    chunk(call(0, None, None, ":1}")),
    chunk(call(1, None, None, "}")),
    chunk({}, "tool_calls"),
)


@pytest.mark.parametrize("together", [True, False])
def test_calls_that_come_at_once_are_told_one_after_the_other(together: bool) -> None:
    stream = INTERLEAVED
    if together:
        pieces = call(0, "a", "f", '{"x"')["tool_calls"] + call(1, "b", "g", "{")["tool_calls"]
        stream = (chunk({"tool_calls": pieces}), *INTERLEAVED[2:])
    assert read(b"".join(stream) + DONE)[1:] == [
        Started(0, ToolCall("a", "f", "")),
        Delta(0, '{"x"'),
        Delta(0, ":1}"),
        Ended(0),
        Started(1, ToolCall("b", "g", "")),
        Delta(1, "{"),
        Delta(1, "}"),
        Ended(1),
        Stopped("tools"),
        Finished(),
    ]


def test_a_call_that_waits_to_the_end_is_told_whole() -> None:
    stream = chunk(call(0, "a", "f", "")) + chunk(call(1, "b", "g", "{")) + chunk(call(1, None, None, "}"))
    found = read(stream + chunk({}, "tool_calls") + DONE)
    assert found[1:6] == [
        Started(0, ToolCall("a", "f", "")),
        Ended(0),
        Started(1, ToolCall("b", "g", "")),
        Delta(1, "{}"),
        Ended(1),
    ]


def test_a_call_that_goes_on_after_its_end_is_a_failure() -> None:
    mixed = chunk(call(0, "a", "f", "{}")) + chunk(call(1, "b", "g", "{")) + chunk(call(0, None, None, "}"))
    assert isinstance(read(mixed + DONE)[-1], Failed)


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "error", "abort", "not_yet_invented"])
def test_an_end_that_nobody_documented_is_not_told_as_a_natural_one(reason: str) -> None:
    assert Stopped("filtered") in read(chunk({"content": "half"}) + chunk({}, reason) + DONE)
    body = {"choices": [{"message": {"content": "half"}, "finish_reason": reason}]}
    answer = read_answer(json.dumps(body).encode())
    assert isinstance(answer, Answer) and answer.choices[0].stop == "filtered"


def test_several_choices_stay_apart() -> None:
    both = chunk({"content": "a"}, index=0) + chunk({"content": "b"}, index=1)
    events = read(both + chunk({}, "stop", 0) + chunk({}, "length", 1) + DONE)
    assert [event for event in events if isinstance(event, Stopped)] == [Stopped("end"), Stopped("length", choice=1)]
    written = chunks(ChatWriter(usage_wanted=False).write(events))[:-1]
    assert {one["choices"][0]["index"] for one in written} == {0, 1}


@pytest.mark.parametrize(
    ("end", "finished"),
    [(DONE, True), (DONE[:-2], True), (chunk(usage=USAGE), True), (b"", False), (b"data: [DO", False)],
)
def test_only_a_stream_that_says_so_is_complete(end: bytes, finished: bool) -> None:
    events = read(chunk({"content": "a"}) + chunk({}, "stop") + end)
    assert (events[-1] == Finished()) is finished


@pytest.mark.parametrize(
    "bad",
    [b"data: {not json\n\n", b"data: [1]\n\n", b"data: " + b"x" * (9 << 20)],
    ids=["no json", "no object", "endless"],
)
def test_what_cannot_be_read_is_a_failure_and_nothing_follows(bad: bytes) -> None:
    events = read(chunk({"content": "a"}) + bad + DONE, [100, 200])
    assert [isinstance(event, Failed) for event in events].count(True) == 1
    assert isinstance(events[-1], Failed)


def test_an_error_inside_a_stream() -> None:
    said = b'data: {"error": {"message": "No.", "code": 429}}\n\n'
    assert read(chunk({"content": "a"}) + said + DONE)[-1] == Failed({"message": "No.", "code": 429}, 429)


def test_a_refusal_and_a_stop_sequence_are_told() -> None:
    assert Stopped("refusal") in read(chunk({"refusal": "No."}) + chunk({}, "stop") + DONE)
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}  # as vLLM says it
    assert Stopped("stop_sequence", "END") in read(
        b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" + DONE
    )


def test_a_whole_answer_comes_back() -> None:
    body = {
        "id": "c1", "object": "chat.completion", "created": 5, "model": "m",
        "choices": [{"index": 0, "logprobs": {"content": []}, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Hi", "refusal": None, "reasoning_content": "hm",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]}}],
        "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 1}},
    }  # fmt: skip
    answer = read_answer(json.dumps(body).encode())
    assert answer is not None and not isinstance(answer, Failed)
    assert json.loads(write_answer(answer)) == body
