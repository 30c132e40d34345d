"""Requests in Cohere's words: of the shape that `V2Client.chat` and its types describe (cohere 7.3.1)."""

import json
from typing import Any

import pytest

from gateway.dialects import rerank
from gateway.dialects.canonical import (
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
from gateway.dialects.cohere.outgoing import write_request
from gateway.dialects.cohere.provider import CohereProvider
from gateway.dialects.cohere.rerank import CohereRerankLane
from gateway.errors import RequestError
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import parsed

REASONING = "command-a-reasoning-08-2025"
TOOL = Tool("add", "Adds.", {"type": "object", "properties": {"x": {"type": "integer"}}})
PLACE = make.deployment("https://api.cohere.com", dialect="cohere", upstream_model="embed-v4.0")


def asking(**changes: Any) -> Request:
    return Request(**{"model": REASONING, "messages": [Message("user", [Text("Hi")])], **changes})


def written(cap: int = 0, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_request(asking(**changes), cap))
    return found


def test_a_request_is_written_whole() -> None:
    turns = [
        Message("user", [Text("Look"), Media("image", "image/png", data="aGk=", detail="low"), Media("document", text="Hi", name="Note")]),
        Message("assistant", [Thinking("Hm", by="cohere"), Text("I add."), ToolCall("t1", "add", '{"x":1}')]),
        Message("user", [ToolResult("t1", [Text("2")], failed=True), Text("Well?")]),
    ]  # fmt: skip
    body = written(
        messages=turns, system=[Text("Be"), Text("brief.")], streamed=True, max_output_tokens=9, temperature=0.5, top_p=1.0,
        top_k=3, stop=["x"], seed=0, frequency_penalty=0.5, presence_penalty=0, user="u",
    )  # fmt: skip
    assert body == {
        "model": REASONING,
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be\n\nbrief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"x":1}'}}],
                "tool_plan": "I add.",
            },
            {"role": "tool", "tool_call_id": "t1", "content": "Error: 2"},
            {"role": "user", "content": "Well?"},
        ],
        "documents": [{"data": {"title": "Note", "text": "Hi"}}],
        "max_tokens": 9, "temperature": 0.5, "p": 0.99, "k": 3, "stop_sequences": ["x"], "seed": 0,
        "frequency_penalty": 0.5, "presence_penalty": 0,
    }  # fmt: skip


def test_documents_stand_in_their_turn_beside_tools_and_formats() -> None:
    turn = [Message("user", [Text("Read"), Media("document", "text/plain", data="SGk=", name="Note")])]
    for changes in ({"tools": [TOOL]}, {"format": Format()}):
        body = written(messages=turn, **changes)
        assert "documents" not in body
        assert body["messages"][0]["content"] == "Read\n\nNote\n\nHi"
    alone = written(messages=[Message("user", [Media("document", text="Hi")])])
    assert alone["messages"] == [{"role": "user", "content": "Hi"}], "no turn is empty"


def test_tools() -> None:
    body = written(tools=[TOOL, Tool("now", strict=True)], tool_choice="required")
    assert body["tools"][1] == {
        "type": "function",
        "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
    }
    assert body["tool_choice"] == "REQUIRED" and body["strict_tools"] is True
    assert "tool_choice" not in written(tools=[TOOL], tool_choice="auto")
    assert written(tools=[TOOL], tool_choice="none")["tool_choice"] == "NONE"
    named = written(tools=[TOOL, Tool("now")], tool_choice="named", tool_name="now")
    assert [tool["function"]["name"] for tool in named["tools"]] == ["now"] and named["tool_choice"] == "REQUIRED"


def test_formats() -> None:
    assert written(format=Format())["response_format"] == {"type": "json_object"}
    shaped = written(format=Format({"type": "object"}, "answer", True))
    assert shaped["response_format"] == {"type": "json_object", "json_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("changes", "thinking"),
    [
        ({}, None),
        ({"effort": "none"}, {"type": "disabled"}),
        ({"thinking_tokens": 0, "effort": "high"}, {"type": "disabled"}),
        ({"thinking_tokens": 2_000}, {"type": "enabled", "token_budget": 2_000}),
        ({"effort": "low"}, {"type": "enabled", "token_budget": 4_096}),
        ({"effort": "high", "max_output_tokens": 1_000}, {"type": "enabled", "token_budget": 750}),
        ({"effort": "high", "model": "command-r-08-2024"}, None),
        ({"effort": "high", "model": "command-a-03-2025"}, None),
    ],
)
def test_thinking(changes: dict[str, Any], thinking: dict[str, Any] | None) -> None:
    assert written(**changes).get("thinking") == thinking


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"choices": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": -1.0}, "presence_penalty"),
        ({"tools": [TOOL], "parallel_tools": False}, "parallel_tool_calls"),
        ({"tools": [TOOL], "tool_choice": "named", "tool_name": "none"}, "tool_choice"),
        ({"messages": [Message("user", [Media("audio", "audio/wav", data="AAAA")])]}, "messages"),
        ({"messages": [Message("user", [Media("document", "application/pdf", data="AAAA")])]}, "messages"),
        ({"messages": [Message("assistant", [Text("Once")])]}, "messages"),
    ],
)
def test_what_cohere_cannot_be_told(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        write_request(asking(**changes), 0)
    assert refused.value.param == param


def test_addresses() -> None:
    for base in ("https://api.cohere.com", "https://api.cohere.com/v2"):
        place = make.deployment(base, dialect="cohere")
        assert base + CohereProvider().write(asking(), place, 7).path == "https://api.cohere.com/v2/chat"
    assert json.loads(CohereProvider().write(asking(), PLACE, 7).body)["max_tokens"] == 7, (
        "our cap, where there is none"
    )


RANKED = {
    "id": "x", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}  # fmt: skip


def test_a_rerank_of_texts_passes_as_it_is() -> None:
    body = {"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2, "max_tokens_per_doc": 9}
    outbound = CohereRerankLane().outbound(parsed(rerank.parse, body), PLACE, 0, {})
    assert (outbound.path, outbound.body) == ("/v2/rerank", json.dumps(body | {"model": "embed-v4.0"}).encode())
    whole = CohereRerankLane().whole(parsed(rerank.parse, body), json.dumps(RANKED).encode())
    assert whole is not None and whole.usage == Usage(units={"searches": 1}) and json.loads(whole.body) == RANKED


def test_a_rerank_of_v1_is_written_as_v2() -> None:
    documents = [{"title": "A", "text": "a", "n": 1}, "b"]
    body = {
        "model": "m",
        "query": "q",
        "documents": documents,
        "rank_fields": ["text", "title"],
        "return_documents": True,
    }
    request = parsed(rerank.parse, body | {"top_k": 2})
    sent = json.loads(CohereRerankLane().outbound(request, PLACE, 0, {}).body)
    assert sent == {"model": "embed-v4.0", "query": "q", "documents": ["text: a\ntitle: A", "b"], "top_n": 2}
    whole = CohereRerankLane().whole(request, json.dumps(RANKED).encode())
    assert whole is not None
    assert [one["document"] for one in json.loads(whole.body)["results"]] == [{"text": "b"}, documents[0]]
    with pytest.raises(RequestError, match="truncation"):
        CohereRerankLane().outbound(parsed(rerank.parse, body | {"truncation": False}), PLACE, 0, {})
