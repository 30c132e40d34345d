"""Responses as clients send them: what they may cost, what is refused, and what others get to read of them."""

import json
from typing import Any

import pytest

from gateway.dialects.canonical import Message, Text, Thinking, ToolCall, ToolResult
from gateway.dialects.chat.outgoing import write_request
from gateway.dialects.openai_prompt import IMAGE_TOKENS, INSTRUCTIONS_TOKENS
from gateway.dialects.registry import lane_of
from gateway.dialects.responses.lane import ResponsesLane
from gateway.dialects.responses.parse import BUILT_IN_TOKENS, parse
from gateway.dialects.responses.prompt import prompt
from gateway.dialects.responses.request import read_request
from gateway.dialects.responses.thinking import read_reasoning, written_reasoning
from gateway.endpoints import RESPONSES
from gateway.errors import RequestError
from gateway.kept.records import Wish
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import OPENAI, parsed

BODY: dict[str, Any] = {"model": "m", "input": "Hello"}
PNG = "data:image/png;base64," + "iVBORw0KGgo=" * 100
FUNCTION = {"type": "function", "name": "f", "description": "Find", "parameters": {"type": "object"}, "strict": False}


def to_chat(**changes: Any) -> dict[str, Any]:
    """Return what a provider that has chats alone is sent for a request."""
    sent: dict[str, Any] = json.loads(write_request(read_request(parsed(parse, BODY | changes)), OPENAI, 0))
    return sent


def said(*parts: dict[str, Any], role: str = "user") -> list[dict[str, Any]]:
    return [{"type": "message", "role": role, "content": list(parts)}]


def test_the_body_bounds_its_text_and_tools_add_to_it() -> None:
    request = parsed(parse, BODY | {"max_output_tokens": 100})
    assert (request.output_cap, request.choices, request.streamed, request.window_bound) == (100, 1, False, False)
    assert request.prompt_bound == len(json.dumps(BODY | {"max_output_tokens": 100}))
    body = BODY | {"tools": [FUNCTION, {"type": "apply_patch"}, {"type": "shell", "environment": {"type": "local"}}]}
    assert parsed(parse, body).prompt_bound == len(json.dumps(body)) + INSTRUCTIONS_TOKENS + 2 * BUILT_IN_TOKENS


def test_an_image_has_a_flat_bound_wherever_it_stands() -> None:
    image = {"type": "input_image", "image_url": PNG}
    for items in (said(image), [{"type": "function_call_output", "call_id": "c", "output": [image]}]):
        request = parsed(parse, BODY | {"input": items})
        assert request.prompt_bound == len(json.dumps(BODY | {"input": items})) + IMAGE_TOKENS - len(PNG)
        assert not request.window_bound


@pytest.mark.parametrize(
    "changes",
    [
        {"input": said({"type": "input_image", "image_url": "https://x.test/a.png"})},
        {"input": said({"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="})},
        {"input": [{"type": "compaction", "encrypted_content": "x"}]},
    ],
)
def test_what_cannot_be_seen_is_bound_by_the_window(changes: dict[str, Any]) -> None:
    assert parsed(parse, BODY | changes).window_bound


@pytest.mark.parametrize(
    ("changes", "wish"),
    [
        ({"previous_response_id": "resp_1"}, Wish(previous="resp_1")),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, Wish(items=("msg_1",))),
        ({"input": [{"id": "msg_1"}], "store": False}, Wish(False, items=("msg_1",))),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, Wish(thoughts=("rs_1",))),
        ({"input": said({"type": "input_file", "file_id": "file-1"})}, Wish(files=("file-1",))),
        ({"input": said({"type": "input_image", "file_id": "file-1"})}, Wish(files=("file-1",))),
        (
            {
                "input": [
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "f"}]}
                ]
            },
            Wish(files=("f",)),
        ),
        (
            {"input": [{"type": "computer_call_output", "call_id": "c", "output": {"file_id": "f"}}]},
            Wish(files=("f",)),
        ),
        ({"background": True}, Wish(background=True)),
        ({"store": False}, None),
    ],
)
def test_what_is_kept_elsewhere_is_named(changes: dict[str, Any], wish: Wish | None) -> None:
    request = parsed(parse, BODY | changes)
    assert request.kept == wish
    assert request.window_bound == bool(wish and wish.files)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"input": [{"type": "image_generation_call", "id": "ig_1"}]}, "input"),
        ({"input": [{"content": "x"}]}, "input"),
        ({"previous_response_id": ["resp_1"]}, "previous_response_id"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"moderation": {"model": "omni"}}, "moderation"),
        ({"something_new": 1}, "something_new"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"prompt_cache_options": {"ttl": "12h"}}, "prompt_cache_options"),
        ({"Background": True}, "background"),
        ({"Max_output_tokens": 5}, "max_output_tokens"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools"),
        ({"tools": [{"type": "mcp", "server_url": "https://x.test"}]}, "tools"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "tools"),
        ({"tools": [{"type": "shell"}]}, "tools"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "file_search"}]}]}, "tools"),
        ({"tools": "all"}, "tools"),
        ({"input": [{"type": "additional_tools", "tools": []}]}, "input"),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "image_generation"}]}]}, "tools"),
        ({"input": said({"type": "input_audio", "input_audio": {}})}, "input"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_what_is_not_metered_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(parse, BODY | changes)
    assert caught.value.param == param and caught.value.status == 400


def test_codex_is_told_how_to_switch_its_search_off() -> None:
    with pytest.raises(RequestError, match='web_search = "disabled"'):
        parsed(parse, BODY | {"tools": [FUNCTION, {"type": "web_search", "external_web_access": False}]})


def test_a_conversation_with_tools_is_a_chat() -> None:
    items = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": PNG}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hmm"}], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "phase": "commentary", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "function_call", "call_id": "c2", "name": "close", "namespace": "agents", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": 'a"b'},
        {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "closed"}]},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "done"},
    ]  # fmt: skip
    sent = to_chat(input=items, instructions="Be brief.", stream=True, max_output_tokens=9, user="u")
    system, user, assistant, *results = sent["messages"]
    assert system == {"role": "system", "content": "Be brief.\n\nBe kind."}
    assert user["content"][1]["image_url"]["url"] == PNG
    assert assistant["content"] == "Let me see."
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in assistant["tool_calls"]] == [
        ("c1", "f", "{}"), ("c2", "agents__close", "{}"), ("c3", "patch", '{"input":"a\\"b"}'),
    ]  # fmt: skip
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        ("c1", "a cat"), ("c2", "closed"), ("c3", "done"),
    ]  # fmt: skip
    assert (sent["stream"], sent["max_completion_tokens"], sent["user"]) == (True, 9, "u")


def test_tools_become_functions() -> None:
    patch = {
        "type": "custom", "name": "patch", "description": "Patch a file.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
    }  # fmt: skip
    agents = {"type": "namespace", "name": "agents", "description": "d", "tools": [FUNCTION]}
    sent = to_chat(
        tools=[FUNCTION, patch, agents], parallel_tool_calls=False, tool_choice={"type": "custom", "name": "patch"}
    )
    one, two, three = (tool["function"] for tool in sent["tools"])
    assert one == {"name": "f", "description": "Find", "parameters": {"type": "object"}, "strict": False}
    assert two["parameters"]["required"] == ["input"] and "start: X" in two["description"]
    assert three["name"] == "agents__f"
    assert sent["tool_choice"]["function"]["name"] == "patch" and sent["parallel_tool_calls"] is False
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    chosen = to_chat(tools=[FUNCTION, patch], tool_choice=allowed)
    assert [tool["function"]["name"] for tool in chosen["tools"]] == ["f"] and chosen["tool_choice"] == "required"


def test_parameters_have_their_words_in_a_chat() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    sent = to_chat(
        text={"format": form, "verbosity": "low"}, reasoning={"effort": "low", "summary": "auto"}, temperature=0.1,
        top_p=0.5, top_logprobs=3, include=["reasoning.encrypted_content", "message.output_text.logprobs"], store=True,
        truncation="disabled", metadata={"a": "b"}, prompt_cache_key="k", client_metadata={"x": "y"}, service_tier="auto",
    )  # fmt: skip
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }
    assert (sent["reasoning_effort"], sent["temperature"], sent["top_p"]) == ("low", 0.1, 0.5)
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 3)
    assert "store" not in sent and "metadata" not in sent


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input"),
        (
            {
                "input": [
                    {"role": "developer", "content": [{"type": "input_image", "image_url": "https://a.example/b.png"}]}
                ]
            },
            "input",
        ),
        ({"tools": [{"type": "local_shell"}]}, "tools"),
        ({"tools": [{"type": "tool_search", "execution": "server"}]}, "tools"),
        ({"reasoning": {"effort": "vast"}}, "reasoning"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "apply_patch"}}, "tool_choice"),
    ],
)
def test_what_only_openai_knows_is_refused_elsewhere(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        to_chat(**changes)
    assert caught.value.param == param


def test_a_search_for_tools_is_a_function_and_what_it_found_is_offered() -> None:
    search = {"type": "tool_search", "execution": "client", "description": "Find.", "parameters": {"type": "object"}}
    found = [{"type": "namespace", "name": "mail", "tools": [FUNCTION | {"defer_loading": True}]}, FUNCTION]
    items = [
        {"role": "user", "content": "Hi"},
        {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "mail"}},
        {"type": "tool_search_output", "call_id": "c", "execution": "client", "status": "completed", "tools": found},
    ]  # fmt: skip
    sent = to_chat(tools=[search, FUNCTION], input=items)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["tool_search", "f", "mail__f"]
    _, call, result = sent["messages"]
    assert call["tool_calls"][0]["function"] == {"name": "tool_search", "arguments": '{"query":"mail"}'}
    assert result["content"] == "These tools can be called now: mail__f, f."


def test_signed_thought_goes_to_its_provider_and_back() -> None:
    for thought in (Thinking("hmm", "a:b", by="anthropic"), Thinking(redacted="xyz", by="bedrock"), Thinking("plain")):
        assert read_reasoning(written_reasoning(thought, "rs_1", "completed")) == thought
    items = [
        {"role": "user", "content": "Hi"}, written_reasoning(Thinking("hmm", "sig", by="anthropic"), "rs_1", "completed"),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]  # fmt: skip
    assert read_request(parsed(parse, BODY | {"input": items})).messages == [
        Message("user", [Text("Hi")]),
        Message("assistant", [Thinking("hmm", "sig", by="anthropic"), ToolCall("c", "f", "{}")]),
        Message("user", [ToolResult("c", [Text("1")])]),
    ]


def test_thought_of_others_is_left_out_where_openai_would_refuse_it() -> None:
    own = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    foreign = written_reasoning(Thinking("hmm", "sig", by="anthropic"), "rs_1", "completed")
    said = {"role": "user", "content": 'What is "atrium:" here?'}
    body = BODY | {"input": [said, own, foreign], "store": False}
    sent = ResponsesLane().outbound(parsed(parse, body), OPENAI, 99, {})
    assert json.loads(sent.body) == body | {"model": "gpt-5", "input": [said, own], "max_output_tokens": 99}


def test_what_is_kept_from_a_provider_goes_its_own_way() -> None:
    places: dict[str, dict[str, Any]] = {
        "https://api.openai.com/v1": {}, "https://x.openai.azure.com": {"dialect": "azure"},
        "https://y.openai.azure.com": {"dialect": "azure", "options": {"api_version": "2024-10-21"}},
        "https://api.groq.com/openai/v1": {}, "https://vllm.test/v1": {},
    }  # fmt: skip
    native = [
        isinstance(lane_of(RESPONSES, make.deployment(url, **changes)), ResponsesLane)
        for url, changes in places.items()
    ]
    assert native == [True, True, False, False, False]


def test_the_prompt_is_what_is_said() -> None:
    items = [
        *said({"type": "input_text", "text": "Hello"}),
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    found = prompt(parsed(parse, BODY | {"input": items, "instructions": "Be brief.", "tools": [FUNCTION]}))
    assert found.texts == ("Be brief.", "Hello", "42", json.dumps(FUNCTION)) and found.complete
    assert not prompt(parsed(parse, BODY | {"input": said({"type": "input_image", "image_url": PNG})})).complete


def test_what_is_looked_up_for_one_call_is_bounded() -> None:
    named = [{"type": "item_reference", "id": f"rs_{number}"} for number in range(2_001)]
    with pytest.raises(RequestError, match="2,000"):
        parsed(parse, {"model": "m", "input": named})
