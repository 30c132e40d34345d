"""Messages as clients send them: what they may cost, what is refused, and what others get to read of them."""

import json
from typing import Any

import pytest

from gateway.dialects.anthropic.lane import MessagesLane, api_headers
from gateway.dialects.anthropic.parse import parse, parse_count
from gateway.dialects.anthropic.prompt import prompt
from gateway.dialects.anthropic.request import read_request
from gateway.dialects.chat.outgoing import write_request
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import IMAGE_TOKENS, INSTRUCTIONS_TOKENS
from gateway.errors import RequestError
from tests.gateway.dialects.speaking import OPENAI, PLACE, parsed

HELLO = [{"role": "user", "content": "Hello"}]
BODY: dict[str, Any] = {"model": "claude", "max_tokens": 100, "messages": HELLO}
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" * 100}
TOOL = {
    "name": "look_up",
    "description": "Find",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
}


def blocks(*found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(found)}]


def to_chat(**changes: Any) -> dict[str, Any]:
    """Return what a provider of OpenAI's dialect is sent for a request."""
    asked = read_request(parsed(parse, BODY | changes))
    sent: dict[str, Any] = json.loads(write_request(asked, OPENAI, 0))
    return sent


def test_the_body_bounds_its_text() -> None:
    request = parsed(parse, BODY)
    assert (request.output_cap, request.choices, request.streamed, request.window_bound) == (100, 1, False, False)
    assert request.prompt_bound == len(json.dumps(BODY))


def test_an_image_has_a_flat_bound_wherever_it_stands() -> None:
    image = {"type": "image", "source": PIXEL}
    for found in (image, {"type": "tool_result", "tool_use_id": "t", "content": [image]}):
        body = BODY | {"messages": blocks(found)}
        request = parsed(parse, body)
        assert request.prompt_bound == len(json.dumps(body)) + IMAGE_TOKENS - len(PIXEL["data"]) - 2
        assert not request.window_bound


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "image", "source": {"type": "url", "url": "x"}}],
        },
        {"type": "something_new"},
    ],
)
def test_what_cannot_be_seen_is_bounded_by_the_window(block: dict[str, Any]) -> None:
    assert parsed(parse, BODY | {"messages": blocks(block)}).window_bound


def test_instructions_that_anthropic_adds_are_bounded_too() -> None:
    body = BODY | {"tools": [TOOL]}
    assert parsed(parse, body).prompt_bound == len(json.dumps(body)) + INSTRUCTIONS_TOKENS


HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": blocks({"text": "no type"})}, "messages"),
        ({"mcp_servers": [{"url": "https://x.test"}]}, "mcp_servers"),
        ({"container": {"skills": []}}, "container"),
        ({"fallbacks": "default"}, "fallbacks"),
        ({"compaction": {}}, "compaction"),
        ({"something_new": 1}, "something_new"),
        ({"Max_Tokens": 5}, "max_tokens"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, "tools"),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]}, "tools"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management"),
        ({"cache_control": {"type": "ephemeral", "ttl": "12h"}}, "cache_control"),
    ],
)  # fmt: skip
def test_what_is_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        parsed(parse, BODY | changes)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "changes",
    [
        HOUR,
        {"system": [{"type": "text", "text": "x", **HOUR}]},
        {"tools": [TOOL | HOUR]},
        {"messages": blocks({"type": "text", "text": "x", **HOUR})},
        {
            "messages": blocks(
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x", **HOUR}]}
            )
        },
    ],
)
def test_an_hour_in_the_cache_asks_for_a_price_that_names_it(changes: dict[str, Any]) -> None:
    assert parsed(parse, BODY | changes).priced_unit == "cache_write_1h_tokens"
    assert parsed(parse, BODY | json.loads(json.dumps(changes).replace("1h", "5m"))).priced_unit == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "text_editor_20250728", "name": "e"}]},
        {"tools": [TOOL | {"type": "custom", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
        {"container": None, "service_tier": "auto", "speed": "standard", "metadata": {"user_id": "u"}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        {"messages": blocks({"type": "search_result", "source": "https://x.test", "title": "t", "content": []})},
    ],
)
def test_what_is_metered_passes(changes: dict[str, Any]) -> None:
    assert parsed(parse, BODY | changes).model == "claude"


def test_a_count_may_cost_nothing() -> None:
    request = parsed(parse_count, {"model": "claude", "messages": HELLO, "tools": [TOOL]})
    assert (request.prompt_bound, request.output_cap, request.window_bound) == (0, 0, False)
    with pytest.raises(RequestError):
        parsed(parse_count, {"model": "claude", "messages": HELLO, "stream": True})


def test_our_own_count_sees_every_text() -> None:
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "tool_result", "tool_use_id": "t", "content": "two"}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "three", "signature": "s"},
                                          {"type": "tool_use", "id": "t", "name": "four", "input": {"q": "five"}}]},
    ]  # fmt: skip
    request = parsed(parse, BODY | {"system": [{"type": "text", "text": "six"}], "messages": turns, "tools": [TOOL]})
    found = prompt(request)
    assert found.complete
    for word in ("one", "two", "three", "four", "five", "six", "look_up"):
        assert any(word in text for text in found.texts), word


def test_a_providers_own_dialect_gets_the_bytes_that_came() -> None:
    body = b'{ "model":"claude",\n "max_tokens": 1e1 , "messages":[{"role":"user","content":"h\\u00e9"}]}'
    body = body.replace(b"1e1", b"10")
    request = parse(Members(body))
    sent = MessagesLane().outbound(request, PLACE, 4096, {})
    assert sent.body == body.replace(b'"claude"', b'"claude-sonnet-4-5"')
    assert (sent.path, sent.headers) == ("/messages", {"anthropic-version": "2023-06-01"})


def test_headers_pass_where_they_are_of_the_documented_shape() -> None:
    given = {
        b"anthropic-version": b"2024-10-22",
        b"anthropic-beta": b"prompt-caching-2024-07-31,claude-code-20250219,interleaved-thinking-2025-05-14",
    }
    assert api_headers(given) == {name.decode(): value.decode() for name, value in given.items()}
    for wrong in (b"a\r\nx: y", b"", b"\xff", b"a" * 3000):
        assert api_headers({b"anthropic-version": wrong, b"anthropic-beta": wrong}) == {
            "anthropic-version": "2023-06-01"
        }


def test_betas_that_may_cost_something_do_not_pass() -> None:
    given = b"files-api-2025-04-14, fast-mode-2026-02-01,effort-2025-11-24 ,brand-new-2027-01-01"
    assert api_headers({b"anthropic-beta": given})["anthropic-beta"] == "effort-2025-11-24"
    assert "anthropic-beta" not in api_headers({b"anthropic-beta": b"oauth-2025-04-20"})
    for hidden in (b"context-1m-2025-08-07", b"effort-2025-11-24, context-1m-2025-08-07", b"context-1m"):
        with pytest.raises(RequestError, match="context-1m"):
            api_headers({b"anthropic-beta": hidden})


def test_a_conversation_with_tools_as_a_chat() -> None:
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xx"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": "Oslo"}},
            {"type": "tool_use", "id": "toolu_2", "name": "look_up", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                {"type": "text", "text": "Rain"}, {"type": "image", "source": PIXEL}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such place", "is_error": True},
            {"type": "text", "text": "And now?", "cache_control": {"type": "ephemeral"}}]},
    ]  # fmt: skip
    sent = to_chat(
        messages=messages, system=[{"type": "text", "text": "Be brief."}], tools=[TOOL], metadata={"user_id": "u"}
    )
    system, first, called, one, two, last = sent["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert first == {"role": "user", "content": "Weather?"}
    assert called["content"] == "Let me see."
    assert [call["function"] for call in called["tool_calls"]] == [
        {"name": "look_up", "arguments": '{"q":"Oslo"}'},
        {"name": "look_up", "arguments": "{}"},
    ]
    assert one == {"role": "tool", "tool_call_id": "toolu_1", "content": "Rain"}
    assert two == {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no such place"}
    assert [part["type"] for part in last["content"]] == ["text", "image_url", "text"]
    assert last["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL['data']}"
    assert sent["tools"][0]["function"]["parameters"] == TOOL["input_schema"]
    assert (sent["max_completion_tokens"], sent["user"]) == (100, "u")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
         {"tool_choice": "required", "parallel_tool_calls": False}),
        ({"tool_choice": {"type": "tool", "name": "look_up"}},
         {"tool_choice": {"type": "function", "function": {"name": "look_up"}}}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, {"reasoning_effort": "medium"}),
        ({"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}, {"reasoning_effort": "max"}),
        ({"stop_sequences": ["a", "b"], "temperature": 0.5, "top_p": 0.9, "stream": True},
         {"stop": ["a", "b"], "temperature": 0.5, "top_p": 0.9, "stream": True, "stream_options": {"include_usage": True}}),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
         {"response_format": {"type": "json_schema",
                              "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}}}),
    ],
)  # fmt: skip
def test_parameters_as_a_chat(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    sent = to_chat(tools=[TOOL], **changes)
    assert {name: sent.get(name) for name in expected} == expected


def test_models_that_never_think_are_not_asked_to() -> None:
    asked = read_request(parsed(parse, BODY | {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}))
    for model, expected in (
        ("gpt-4o", None),
        ("openai/gpt-4.1-mini", None),
        ("gpt-5", "high"),
        ("gpt-oss-120b", "high"),
    ):
        asked.model = model
        assert json.loads(write_request(asked, OPENAI, 0)).get("reasoning_effort") == expected


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"top_k": 5}, "top_k"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "The answer is ("}]}, "messages"),
        ({"messages": blocks({"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}})}, "messages"),
        ({"messages": blocks({"type": "document", "citations": {"enabled": True},
                              "source": {"type": "text", "media_type": "text/plain", "data": "x"}})}, "messages"),
        ({"messages": blocks({"type": "image", "source": {"type": "file", "file_id": "file_1"}})}, "messages"),
        ({"messages": blocks({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})}, "messages"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools"),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 5}}}, "output_config"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management"),
    ],
)  # fmt: skip
def test_what_a_chat_cannot_say_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        to_chat(**changes)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_documents_as_a_chat() -> None:
    pdf = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    plain = {
        "type": "document",
        "title": "Note",
        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
    }
    made = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "parts"}]}}
    file, text, parts = to_chat(messages=blocks(pdf, plain, made))["messages"][0]["content"]
    assert file == {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    assert (text["text"], parts["text"]) == ("Note\n\nwords", "parts")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "file", "file_id": "file_123"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_123"}},
        {"type": "container_upload", "file_id": "file_123"},
    ],
)
def test_files_that_the_provider_keeps_for_all_callers_cannot_be_reached(block: dict[str, Any]) -> None:
    for content in (block, {"type": "tool_result", "tool_use_id": "t1", "content": [block]}):
        with pytest.raises(RequestError, match="which all callers share here"):
            parsed(parse, BODY | {"messages": blocks(content)})
