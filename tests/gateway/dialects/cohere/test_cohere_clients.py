"""Chats and embeds as Cohere's clients send them (cohere 7.3.1, v2/client.py): bounded, read, passed on, and answered."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.canonical import (
    Answer,
    Choice,
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
from gateway.dialects.cohere import parse
from gateway.dialects.cohere.answer import read_answer
from gateway.dialects.cohere.client import CohereEmbeddingClient
from gateway.dialects.cohere.lane import CohereLane, CohereStream
from gateway.dialects.cohere.outgoing import write_request
from gateway.dialects.cohere.reader import CohereReader
from gateway.dialects.cohere.request import read_request
from gateway.dialects.cohere.writer import CohereWriter, failed, write_answer
from gateway.dialects.embedding import Asked, Vectors
from gateway.dialects.members import Members
from gateway.errors import RequestError
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import cut, golden, parsed

PLACE = make.deployment("https://api.cohere.com", dialect="cohere", upstream_model="command-a-03-2025")
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
EMBED: dict[str, Any] = {"model": "m", "texts": ["a", "b"], "input_type": "search_query"}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.dictionaries(TEXT, st.integers(-9, 9) | TEXT, max_size=3)
TEXTS = st.builds(Text, TEXT)
IMAGES = st.builds(Media, st.just("image"), st.just("image/png"), st.just("aGk="), detail=st.sampled_from(["", "low"]))
CALLS = st.builds(ToolCall, TEXT, TEXT, st.just('{"x": 1}'))
RESULTS = st.builds(ToolResult, TEXT, st.lists(TEXTS, min_size=1, max_size=1))
REQUESTS = st.builds(
    Request,
    model=st.just("m"),
    messages=st.tuples(
        st.builds(Message, st.just("user"), st.tuples(TEXTS, IMAGES).map(list)),
        st.builds(Message, st.just("assistant"), st.tuples(TEXTS, CALLS).map(list)),
        st.builds(Message, st.just("user"), st.tuples(RESULTS, TEXTS).map(list)),
    ).map(list),
    system=st.lists(TEXTS, max_size=1),
    streamed=st.booleans(),
    max_output_tokens=st.none() | st.integers(1, 9_000),
    tools=st.lists(st.builds(Tool, TEXT, TEXT, JSON.map(lambda value: {"type": "object", **value})), max_size=2),
    format=st.none() | st.builds(Format, JSON, strict=st.just(True)),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0.01, 0.99),
    top_k=st.none() | st.integers(1, 9),
    stop=st.lists(TEXT, max_size=2),
    seed=st.none() | st.integers(0, 9),
    frequency_penalty=st.none() | st.floats(0, 1),
    thinking_tokens=st.none() | st.just(0),
)


@settings(max_examples=40)
@given(REQUESTS)
def test_what_is_written_for_cohere_is_read_back(asked: Request) -> None:
    again = read_request(parse.parse(Members(write_request(asked, 0))))
    assert again == asked


def test_documents_and_earlier_thought_are_read() -> None:
    thought = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = [{"type": "document", "document": {"id": "1", "data": {"sum": 4, "of": "x"}}}]
    messages = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": thought, "tool_plan": "I add.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t", "content": result},
        {"role": "user", "content": "And?"},
    ]  # fmt: skip
    documents = ["plain", {"data": {"text": "Hi", "title": "T"}}, {"data": {"by": "Ann", "text": "Hi"}}]
    body = BODY | {"messages": messages, "documents": documents, "thinking": {"type": "enabled", "token_budget": 5}}
    request = parsed(parse.parse, body)
    asked = read_request(request)
    assert (asked.thinking_tokens, asked.thoughts_wanted) == (5, True)
    assert asked.messages[1].parts[:3] == [Thinking("Hm.", by="cohere"), Text("Yes."), Text("I add.")]
    turn = asked.messages[2].parts
    assert [part.text for part in turn[:3] if isinstance(part, Media)] == ["plain", "Hi", "by: Ann\ntext: Hi"]
    assert turn[3] == ToolResult("t", [Text("sum: 4\nof: x")]) and turn[4] == Text("And?")
    counted = parse.prompt(request)
    assert counted.complete and {"plain", "I add."} <= set(counted.texts)
    assert counted.bound <= request.prompt_bound + 200


def test_bounds() -> None:
    def bound(url: str) -> Any:
        image = {"type": "image_url", "image_url": {"url": url}}
        return parsed(parse.parse, BODY | {"messages": [{"role": "user", "content": [image]}]})

    assert bound("data:image/png;base64," + "A" * 500_000).prompt_bound < 50_000
    assert bound("https://example.com/a.png").window_bound
    assert parsed(parse.parse, BODY | {"max_tokens": 7}).output_cap == 7


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"surprise": 1}, "surprise"), ({"messages": None}, "messages"), ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file_id": "x"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "gs://b/a.png"}}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": {"type": "image_url", "image_url": {"url": "https://h/a.png"}}}]}, "messages"),
        ({"Max_Tokens": 5}, "max_tokens"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        parsed(parse.parse, BODY | changes)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "changes",
    [
        {"safety_mode": "STRICT"}, {"citation_options": {"mode": "accurate"}}, {"logprobs": True}, {"tool_choice": "AUTO"},
        {"response_format": {"type": "xml"}}, {"messages": [{"role": "tool", "content": "x"}]}, {"thinking": {"type": "deep"}},
    ],
)  # fmt: skip
def test_what_others_cannot_say_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        read_request(parsed(parse.parse, BODY | changes))


def test_bytes_pass_but_for_model_and_cap() -> None:
    body = b'{ "model":"m", "messages":[{"role":"user","content":"Hi"}],  "p":0.50 }'
    outbound = CohereLane("/chat").outbound(parse.parse(Members(body)), PLACE, 90, {})
    assert outbound.body == body.replace(b'"m"', b'"command-a-03-2025"').replace(b" }", b' ,"max_tokens":90}')
    whole = CohereLane("/chat").whole(parsed(parse.parse, BODY), b'{"message": "No."}')
    assert whole is not None and whole.error == {"message": "No."}


@given(st.sampled_from(["text", "tools", "reasoning"]), st.lists(st.integers(0, 5000), max_size=20))
def test_streams_pass_however_they_are_cut(name: str, places: list[int]) -> None:
    stream, sent = CohereStream(), golden("cohere", name)
    passed = b"".join(stream.feed(piece) for piece in cut(sent, places))
    assert passed + stream.end() == sent and stream.done
    assert (
        stream.usage
        == {"text": Usage(5, 0, 0, 3), "tools": Usage(46, 0, 0, 14), "reasoning": Usage(8, 0, 0, 578)}[name]
    )


def test_streams_that_fail() -> None:
    stream, tail = CohereStream(), failed(b'{"message": "Oh.", "code": "x"}')
    assert stream.feed(b'data: {"type": "content-end"}\n\n' + tail) == b'data: {"type": "content-end"}\n\n'
    assert stream.error == {"message": "Oh.", "type": "api_error"} and not stream.done
    other = CohereStream()
    assert other.feed(b'data: {"message": "Overloaded."}\n\n') == b"" and other.error


@pytest.mark.parametrize("name", ["text", "tools", "reasoning"])
def test_what_is_written_is_what_cohere_says(name: str) -> None:
    events = CohereReader().feed(golden("cohere", name))
    assert CohereReader().feed(CohereWriter().write(events)) == events


def test_a_whole_answer_is_written() -> None:
    parts = [Thinking("Hm.", by="cohere"), Text("I add."), ToolCall("t", "f", '{"x":1}')]
    answer = Answer("a", "", [Choice(parts, "tools")], Usage(5, 0, 0, 2))  # type: ignore[arg-type]
    assert read_answer(write_answer(answer)) == answer
    plain = Answer("a", "", [Choice([Text("Yes.")], "end")], Usage(5, 0, 0, 2))
    assert read_answer(write_answer(plain)) == plain


def test_embeds() -> None:
    request = parsed(parse.parse_embed, EMBED | {"embedding_types": ["float", "base64"], "output_dimension": 2})
    client = CohereEmbeddingClient()
    assert client.read(request) == Asked(["a", "b"], 2, "query")
    told = json.loads(client.answer(request, Vectors([[1.0, 0.5], [0.0, -1.0]], Usage(4))))
    assert told["embeddings"] == {"float": [[1.0, 0.5], [0.0, -1.0]], "base64": ["AACAPwAAAD8=", "AAAAAAAAgL8="]}
    assert told["meta"]["billed_units"] == {"input_tokens": 4} and told["texts"] == ["a", "b"]
    for wrong in ({"texts": []}, {"images": ["data:image/png;base64,aGk="]}, {"inputs": []}):
        with pytest.raises(RequestError):
            parsed(parse.parse_embed, EMBED | wrong)
    for alone in ({"embedding_types": ["int8"]}, {"truncate": "START"}, {"input_type": "image"}):
        with pytest.raises(RequestError):
            client.read(parsed(parse.parse_embed, EMBED | alone))
