"""Streams of Messages: relayed byte for byte, read into the canonical form, and written from it."""

import json
from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from gateway.dialects.anthropic.answer import read_answer
from gateway.dialects.anthropic.reader import MessagesReader
from gateway.dialects.anthropic.relayed import MessagesStream
from gateway.dialects.anthropic.writer import MessagesWriter
from gateway.dialects.canonical import Answer, Delta, Ended, Event, Failed, Finished, Started, Stopped, Thinking, Used
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.chat.writer import ChatWriter
from gateway.snapshot import Price
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.gateway.dialects.speaking import chunks, cut, golden

NAMES = ("basic", "cache", "refusal", "tool_use")
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
PLACES = st.lists(st.integers(0, 5000), max_size=40)


def read(data: bytes, places: list[int] | None = None) -> list[Event]:
    """Read a stream cut at these places."""
    reader = MessagesReader()
    events = [event for piece in cut(data, places or []) for event in reader.feed(piece)]
    return events + reader.end()


def relayed(data: bytes, places: list[int]) -> tuple[bytes, MessagesStream]:
    """Relay a stream cut at these places."""
    stream = MessagesStream()
    passed = b"".join(stream.feed(piece) for piece in cut(data, places))
    return passed + stream.end(), stream


@pytest.mark.parametrize("name", NAMES)
@given(places=PLACES)
def test_however_it_is_cut_the_events_are_the_same(name: str, places: list[int]) -> None:
    data = golden("anthropic", name)
    assert read(data, places) == read(data)


@pytest.mark.parametrize("name", NAMES)
@given(places=PLACES)
def test_relayed_bytes_are_those_that_came(name: str, places: list[int]) -> None:
    data = golden("anthropic", name)
    passed, stream = relayed(data, places)
    assert passed.rstrip(b"\n") == data.rstrip(b"\n")
    assert stream.done and stream.error is None
    assert stream.usage == next(event.usage for event in reversed(read(data)) if isinstance(event, Used))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_again_is_the_same_to_the_official_sdk(name: str) -> None:
    data = golden("anthropic", name)
    written = MessagesWriter().write(read(data))
    events = [EVENT.validate_python(chunk) for chunk in chunks(written)]
    before = [chunk for chunk in chunks(data) if chunk["type"] != "ping"]

    def text(found: list[Any], field: str) -> str:
        return "".join(chunk.get("delta", {}).get(field, "") for chunk in found)

    assert [event.type for event in events][-2:] == ["message_delta", "message_stop"]
    for field in ("text", "partial_json"):
        assert text(chunks(written), field) == text(before, field)
    assert chunks(written)[-2]["delta"]["stop_reason"] == before[-2]["delta"]["stop_reason"]
    assert chunks(written)[-2]["usage"]["output_tokens"] == before[-2]["usage"]["output_tokens"]


def test_a_tool_call_becomes_a_chat_and_comes_back() -> None:
    events = read(golden("anthropic", "tool_use"))
    written = ChatWriter(usage_wanted=True).write(events)
    found = chunks(written)
    assert found.pop() == "[DONE]"
    seen = [ChatCompletionChunk.model_validate(chunk) for chunk in found]
    calls = [call for chunk in seen for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert [call.id for call in calls if call.id] == ["toolu_01NRLabsLyVHZPKxbKvkfSMn"]
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert json.loads(arguments) == {"location": "Paris"}
    assert seen[-2].choices[0].finish_reason == "tool_calls"
    assert seen[-1].usage is not None and (seen[-1].usage.prompt_tokens, seen[-1].usage.completion_tokens) == (377, 65)
    reader = ChatReader()
    again = MessagesWriter().write(reader.feed(written))
    arguments = "".join(chunk.get("delta", {}).get("partial_json", "") for chunk in chunks(again))
    assert json.loads(arguments) == {"location": "Paris"}
    assert chunks(again)[-2]["delta"]["stop_reason"] == "tool_use"


def test_cache_buckets_are_part_of_the_prompt_and_cost_their_own_prices() -> None:
    usage = relayed(golden("anthropic", "cache"), [])[1].usage
    assert usage == Usage(19, cached_tokens=3, cache_write_tokens=4, output_tokens=6, reasoning_tokens=2)
    price = Price("p", 0.0, 3_000_000_000, 15_000_000_000, cached_input=300_000_000, cache_write=3_750_000_000)
    # 12 × 3 + 3 × 0.30 + 4 × 3.75 + 6 × 15 USD per million
    assert cost(usage, price) == 12 * 3_000 + 3 * 300 + 4 * 3_750 + 6 * 15_000


def test_the_first_tokens_of_an_answer_are_not_taken_for_all_of_it() -> None:
    begun = golden("anthropic", "basic").split(b"event: content_block_stop")[0]
    _, stream = relayed(begun, [])
    assert (stream.usage, stream.done) == (None, False)
    assert stream.fragments() == [b"Hello there!"]
    assert not any(isinstance(event, Used | Finished | Stopped) for event in read(begun))


@pytest.mark.parametrize(
    ("kind", "status"), [("overloaded_error", 529), ("rate_limit_error", 429), ("billing_error", 502)]
)
def test_an_error_inside_a_stream_is_held_back(kind: str, status: int) -> None:
    event = {"type": "error", "error": {"type": kind, "message": "No."}}
    lead, broken = golden("anthropic", "basic").split(b"event: content_block_stop")[0], json.dumps(event).encode()
    data = lead + b"event: error\ndata: " + broken + b'\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    passed, stream = relayed(data, [700])
    assert (passed, stream.done) == (lead, False)
    assert stream.error == {"type": kind, "message": "No.", "code": status}
    assert read(data)[-1] == Failed({"type": kind, "message": "No."}, status)


def test_text_that_quotes_events_is_text() -> None:
    quoted = json.dumps({"type": "content_block_delta", "index": 0, "delta": {
        "type": "text_delta", "text": '{"type": "message_stop"} {"type":"error","error":{}}'}}).encode()  # fmt: skip
    passed, stream = relayed(b"event: content_block_delta\ndata: " + quoted + b"\n\n", [])
    assert passed.endswith(quoted + b"\n\n")
    assert (stream.done, stream.error) == (False, None)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    data = golden("anthropic", "tool_use")
    pieces = [event for event in data.split(b"\n\n") if b"input_json_delta" not in event]
    found = chunks(ChatWriter(usage_wanted=False).write(read(b"\n\n".join(pieces))))
    calls = [call for chunk in found[:-1] for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == "{}"


def test_a_prompt_once_told_is_not_taken_back_by_an_end_that_says_none() -> None:
    told = {"input_tokens": 900, "cache_read_input_tokens": 50, "output_tokens": 1}
    begun = {"type": "message_start", "message": {"id": "m", "model": "c", "content": [], "usage": told}}
    ended = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 0, "output_tokens": 9},
    }
    data = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in (begun, ended, {"type": "message_stop"}))
    _, stream = relayed(data, [])
    assert stream.usage == Usage(950, 50, 0, 9)
    assert [event.usage for event in read(data) if isinstance(event, Used)][-1] == stream.usage


@pytest.mark.parametrize(("by", "shown"), [("anthropic", True), ("gemini", False), ("", False)])
def test_signatures_of_others_are_not_written(by: str, shown: bool) -> None:
    """They would come back as Anthropic's own."""
    events: list[Event] = [Started(0, Thinking("Hm", by=by)), Delta(0, signature="c2ln"), Ended(0)]
    assert (b"signature_delta" in MessagesWriter().write(events)) is shown


def test_an_end_that_is_not_known_is_not_told_as_a_natural_one() -> None:
    answer = read_answer(b'{"content": [], "stop_reason": "not_yet_invented"}')
    assert isinstance(answer, Answer) and answer.choices[0].stop == "filtered"
