"""Gemini's streams: read, relayed and written, however the network cut them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
)  # fmt: skip
from gateway.dialects.gemini.answers import written_answer
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.stream import GeminiStream
from gateway.dialects.gemini.writer import GeminiWriter
from gateway.types import Usage
from tests.gateway.dialects.speaking import GOLDEN, cut


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / "gemini" / f"{name}.json").read_text())
    return found


def sse(*chunks: dict[str, Any], end: str = "\r\n\r\n") -> bytes:
    return "".join(f"data: {json.dumps(chunk)}{end}" for chunk in chunks).encode()


def candidate(*parts: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": index, **more}]}


def read_all(data: bytes, places: list[int] = []) -> list[Event]:  # noqa: B006  never changed
    reader = GeminiReader()
    found = [event for piece in cut(data, places) for event in reader.feed(piece)]
    return found + reader.end()


STREAM = [
    {**candidate({"text": "Hm", "thought": True}), "responseId": "r", "modelVersion": "m"},
    candidate({"text": "Häl"}),
    {**candidate({"text": "lo"}), "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}},
    candidate({"functionCall": {"id": "c1", "name": "f", "args": {"x": "ü"}}, "thoughtSignature": "c2ln"}),
    {
        **candidate({"text": ""}, finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 9, "thoughtsTokenCount": 4},
    },
]
EVENTS: list[Event] = [
    Begun("r", "m"),
    Started(0, Thinking(by="gemini")),
    Delta(0, "Hm"),
    Ended(0),
    Started(1, Text("")),
    Delta(1, "Häl"),
    Delta(1, "lo"),
    Ended(1),
    Started(2, ToolCall("c1", "f", "", "c2ln")),
    Delta(2, '{"x":"ü"}'),
    Ended(2),
    Stopped("tools"),
    Used(Usage(3, 0, 0, 13, 4)),
    Finished(),
]


@given(st.lists(st.integers(0, 5_000), max_size=40), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_a_stream_reads_the_same_however_it_is_cut(places: list[int], end: str) -> None:
    assert read_all(sse(*STREAM, end=end), places) == EVENTS


@given(st.lists(st.integers(0, 5_000), max_size=40), st.booleans())
def test_a_stream_passes_the_same_however_it_is_cut(places: list[int], array: bool) -> None:
    data = sse(*STREAM)
    stream = GeminiStream(1, array=array)
    out = b"".join([stream.feed(piece) for piece in cut(data, places)]) + stream.end()
    assert (json.loads(out) == STREAM) if array else (out == data)
    assert (stream.done, stream.error, stream.usage) == (True, None, Usage(3, 0, 0, 13, 4))


def test_the_recorded_stream() -> None:
    found = recorded("stream")
    events = read_all(sse(*found["payloads"]))
    assert Used(Usage(**found["usage"])) in events and events[-1] == Finished()
    assert [event.text for event in events if isinstance(event, Delta)] == ["Part A ", "Stream 2!"]


def test_two_candidates_are_done_when_both_have_stopped() -> None:
    first, second = candidate({"text": "a"}, finishReason="STOP"), candidate({"text": "b"}, index=1)
    last = {**candidate(index=1, finishReason="MAX_TOKENS"), "usageMetadata": {"promptTokenCount": 1}}
    assert read_all(sse(second, first))[-1] != Finished()
    assert read_all(sse(second, first, last))[-1] == Finished()
    stream = GeminiStream(2, array=False)
    stream.feed(sse(second, first))
    assert stream.usage is None
    stream.end()
    assert not stream.done


@pytest.mark.parametrize("lead", [[], [candidate({"text": "so far"})]])
def test_a_blocked_prompt_is_an_end(lead: list[dict[str, Any]]) -> None:
    chunk = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 8}}
    events = read_all(sse(*lead, chunk))
    assert events[-3:] == [Stopped("filtered"), Used(Usage(8)), Finished()]
    stream = GeminiStream(1, array=False)
    assert stream.feed(sse(*lead, chunk)) + stream.end() == sse(*lead, chunk)
    assert (stream.done, stream.usage) == (True, Usage(8))


def test_a_stream_that_breaks_off_has_no_end() -> None:
    data = sse(*STREAM[:3])
    assert Finished() not in read_all(data)
    for array in (False, True):
        stream = GeminiStream(1, array=array)
        out = stream.feed(data) + stream.end()
        assert not stream.done and stream.usage is None and not out.endswith(b"]")
        assert b"".join(stream.fragments()) == b"HmH\\u00e4llo"


def test_an_error_in_a_stream_is_held_back() -> None:
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}
    assert read_all(sse(STREAM[0], {"error": error}, *STREAM[1:]))[-1] == Failed(error, 429)
    stream = GeminiStream(1, array=False)
    assert stream.feed(sse(STREAM[0], {"error": error}, *STREAM[1:])) == sse(STREAM[0])
    assert stream.error == error


def test_arguments_of_calls_are_counted_where_usage_is_missing() -> None:
    stream = GeminiStream(1, array=False)
    stream.feed(sse(candidate({"functionCall": {"name": "f", "args": {"text": "much to write"}}})))
    assert b"much to write" in b"".join(stream.fragments())


@given(st.booleans(), st.booleans())
def test_events_are_written_as_a_stream(array: bool, thoughts: bool) -> None:
    writer = GeminiWriter(array=array, thoughts=thoughts)
    out = b"".join([writer.write([event]) for event in EVENTS])
    chunks = json.loads(out) if array else [json.loads(one[6:]) for one in out.decode().split("\r\n\r\n") if one]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    shown = [{"text": "Hm", "thought": True}] if thoughts else []
    call = {"functionCall": {"id": "c1", "name": "f", "args": {"x": "ü"}}, "thoughtSignature": "c2ln"}
    assert parts == [*shown, {"text": "Häl"}, {"text": "lo"}, call]
    last = chunks[-1]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["candidatesTokenCount"] == 9 and last["usageMetadata"]["thoughtsTokenCount"] == 4
    assert {chunk["responseId"] for chunk in chunks} == {"r"}


def test_a_call_that_is_no_json_is_said_to_be_malformed() -> None:
    broken = Answer("r", "m", [Choice([ToolCall("c", "f", '{"x": ')], "tools")], None)
    [made] = json.loads(written_answer(broken, thoughts=False))["candidates"]
    assert (made["finishReason"], made["content"]["parts"]) == ("MALFORMED_FUNCTION_CALL", [])
    writer = GeminiWriter(array=False, thoughts=False)
    out = writer.write([Started(0, ToolCall("c", "f", "")), Delta(0, '{"x": '), Ended(0), Stopped("tools"), Finished()])
    assert b"MALFORMED_FUNCTION_CALL" in out and b"functionCall" not in out


HALF = sse(candidate({"text": "a"}, index=0, finishReason="STOP"))


def test_a_stream_that_ends_before_a_candidate_came_is_not_complete() -> None:
    reader, stream = GeminiReader(2), GeminiStream(2, array=False)
    assert Finished() not in [*reader.feed(HALF), *reader.end()]
    stream.feed(HALF)
    stream.end()
    assert not stream.done


def test_a_stream_is_complete_once_all_candidates_have_stopped() -> None:
    whole = HALF + sse(candidate({"text": "b"}, index=1, finishReason="STOP"))
    reader, stream = GeminiReader(2), GeminiStream(2, array=False)
    assert [*reader.feed(whole), *reader.end()][-1] == Finished()
    stream.feed(whole)
    stream.end()
    assert stream.done
