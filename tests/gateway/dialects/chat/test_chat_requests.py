"""Chats as clients send them: read, written again, and said to Anthropic."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import openai_chat
from gateway.dialects.anthropic.outgoing import write_request as write_messages
from gateway.dialects.canonical import Request
from gateway.dialects.chat.outgoing import write_request
from gateway.dialects.chat.request import read_request
from gateway.dialects.openai_chat import parse
from gateway.dialects.openai_lane import OpenAILane
from gateway.dialects.openai_prompt import INSTRUCTIONS_TOKENS
from gateway.errors import RequestError
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import OPENAI, PLACE, parsed

HELLO = [{"role": "user", "content": "Hello"}]
PNG = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "forget"}}


def asked(**changes: Any) -> Request:
    """Read a chat request."""
    return read_request(parsed(parse, {"model": "m", "messages": HELLO, **changes}))


def to_messages(model: str = "claude-sonnet-4-5", cap: int = 8192, **changes: Any) -> dict[str, Any]:
    """Return what a provider of Anthropic's dialect is sent for a chat."""
    request = asked(**changes)
    request.model = model
    sent: dict[str, Any] = json.loads(write_messages(request, cap))
    return sent


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
TEXTS = st.fixed_dictionaries({"type": st.just("text"), "text": WORDS})
IMAGES = st.fixed_dictionaries(
    {
        "type": st.just("image_url"),
        "image_url": st.fixed_dictionaries({"url": st.sampled_from([PNG, "https://x.test/a.png"])}),
    }
)
FILES = st.fixed_dictionaries(
    {"type": st.just("file"), "file": st.fixed_dictionaries(
        {"filename": NAMES, "file_data": st.just("data:application/pdf;base64,JVBERi0=")})}
)  # fmt: skip
USERS = st.fixed_dictionaries(
    {"role": st.just("user"), "content": WORDS | st.lists(TEXTS | IMAGES | FILES, min_size=2, max_size=4)}
)
CALLS = st.fixed_dictionaries(
    {"id": NAMES, "type": st.just("function"),
     "function": st.fixed_dictionaries({"name": NAMES, "arguments": st.just('{"q":1}')})}
)  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a conversation as OpenAI wants it: calls of tools are answered in order, the user's turn is last."""
    found: list[dict[str, Any]] = [{"role": "system", "content": draw(WORDS)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 3))):
        found.append(draw(USERS))
        calls = draw(st.lists(CALLS, max_size=3, unique_by=lambda call: str(call["id"])))
        found.append({"role": "assistant", "content": draw(WORDS)} | ({"tool_calls": calls} if calls else {}))
        found += [{"role": "tool", "tool_call_id": call["id"], "content": draw(WORDS)} for call in calls]
    return found + ([draw(USERS)] if not found or found[-1]["role"] != "tool" else [])


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.5, 2]),
        "top_p": st.just(0.25),
        "stop": st.lists(NAMES, min_size=1, max_size=4),
        "seed": st.integers(0, 9),
        "n": st.integers(2, 4),
        "frequency_penalty": st.just(1.5),
        "presence_penalty": st.just(-1.5),
        "user": NAMES,
        "max_completion_tokens": st.integers(1, 99),
        "parallel_tool_calls": st.booleans(),
        "tool_choice": st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "look_up"}}]),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        "response_format": st.sampled_from(
            [{"type": "json_object"},
             {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}]),
    },
)  # fmt: skip


@given(messages=conversations(), parameters=PARAMETERS)
def test_a_chat_that_is_read_and_written_again_says_the_same(
    messages: list[dict[str, Any]], parameters: dict[str, Any]
) -> None:
    body = {"model": "m", "messages": messages, "tools": [TOOL], **parameters}
    assert json.loads(write_request(asked(**body), OPENAI, 0)) == body


def test_instructions_that_a_provider_adds_are_bounded_too() -> None:
    body = {"model": "m", "messages": HELLO}
    assert parsed(parse, body).prompt_bound == len(json.dumps(body))
    body["tools"] = [TOOL]
    assert parsed(parse, body).prompt_bound == len(json.dumps(body)) + INSTRUCTIONS_TOKENS


def test_the_name_of_the_cap_is_the_providers() -> None:
    assert json.loads(write_request(asked(), OPENAI, 50))["max_completion_tokens"] == 50
    assert json.loads(write_request(asked(max_completion_tokens=7), PLACE, 50))["max_tokens"] == 7


def test_a_conversation_as_messages() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PNG}},
                                     {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [
            {"id": "functions.look_up:0", "type": "function", "function": {"name": "look_up", "arguments": '{"q": "cat"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "look_up", "arguments": "{broken"}}]},
        {"role": "tool", "tool_call_id": "functions.look_up:0", "content": "a cat"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "two"}]},
        {"role": "developer", "content": "In English."},
        {"role": "user", "content": "Go on."},
    ]  # fmt: skip
    sent = to_messages(messages=messages, tools=[TOOL, OTHER], user="u")
    assert [part["text"] for part in sent["system"]] == ["Be brief.", "In English."]
    first, called, results = sent["messages"]
    assert first["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
    ]
    assert called["content"] == [
        {"type": "tool_use", "id": "functions_look_up_0", "name": "look_up", "input": {"q": "cat"}},
        {"type": "tool_use", "id": "call_2", "name": "look_up", "input": {"INVALID_JSON": "{broken"}},
    ]
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result", "text"]
    assert results["content"][0]["tool_use_id"] == "functions_look_up_0"
    assert sent["tools"] == [
        {"name": "look_up", "input_schema": {"type": "object", "properties": {}}},
        {"name": "forget", "input_schema": {"type": "object"}},
    ]
    assert (sent["max_tokens"], sent["metadata"]) == (8192, {"user_id": "u"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"parallel_tool_calls": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"tool_choice": {"type": "none"}}),
        ({"tool_choice": {"type": "function", "function": {"name": "look_up"}}},
         {"tool_choice": {"type": "tool", "name": "look_up"}}),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}}},
         {"tool_choice": {"type": "any"}, "tools": [{"name": "forget", "input_schema": {"type": "object"}}]}),
        ({"stop": "end", "temperature": 1, "top_p": 0.5},
         {"stop_sequences": ["end"], "temperature": 1, "top_p": 0.5}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
         {"output_config": {"format": {"type": "json_schema",
                                       "schema": {"type": "object", "additionalProperties": False}}}}),
        ({"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled", "budget_tokens": 6144}}),  # of 8192
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"frequency_penalty": 0, "metadata": {"a": "b"}, "store": False, "verbosity": "medium", "n": 1}, {}),
    ],
)  # fmt: skip
def test_parameters_as_messages(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    sent = to_messages(**{"tools": [TOOL, OTHER], **changes})
    assert {name: sent.get(name) for name in expected} == expected
    extra = set(sent) - {"model", "messages", "max_tokens", "tools"} - set(expected)
    assert not extra


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-5", "claude-opus-5-5", "anthropic.claude-opus-4-7-v1:0"]
)
def test_newer_models_think_by_effort(model: str) -> None:
    sent = to_messages(model, reasoning_effort="minimal")
    assert (sent["thinking"], sent["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})


@pytest.mark.parametrize(
    "model",
    ["claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-haiku-4-5@20251001", "claude-opus-4-1", "other"],
)
def test_older_models_think_by_budget(model: str) -> None:
    assert to_messages(model, reasoning_effort="minimal")["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_amid_calls_of_tools_an_older_model_goes_on_without_thought() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    turns = [*HELLO, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    assert "thinking" not in to_messages(messages=turns, tools=[TOOL], reasoning_effort="high")
    assert "thinking" in to_messages("claude-opus-4-6", messages=turns, tools=[TOOL], reasoning_effort="high")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"seed": 1}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"presence_penalty": 0.1}, "presence_penalty"),
        ({"temperature": 1.5}, "temperature"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"verbosity": "low"}, "verbosity"),
        ({"something_new": 1}, "something_new"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "low", "max_tokens": 1000}, "reasoning_effort"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        ({"messages": [{"role": "user", "name": "Ann", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]}, "messages"),
    ],
)
def test_what_messages_cannot_say_is_refused_by_name(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        to_messages(**changes)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_documents_as_messages() -> None:
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    note = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aMOp"}}
    sent = to_messages(messages=[{"role": "user", "content": [pdf, note]}])
    assert sent["messages"][0]["content"] == [
        {"type": "document", "title": "a.pdf",
         "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "title": "a.txt", "source": {"type": "text", "media_type": "text/plain", "data": "hé"}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-123"}},
        {"type": "file", "file_id": "file-123"},
        {"type": "image_url", "image_url": {"url": "gs://board/chart.png"}},
        {"type": "image_url", "image_url": "ms://file-123"},
        {"type": "video_url", "video_url": {"url": "ms://file-123"}},
        {"type": "document_url", "document_url": "file-123"},
    ],
)
def test_what_the_provider_keeps_for_all_callers_cannot_be_reached(part: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="which all callers share here"):
        parsed(parse, {"model": "m", "messages": [{"role": "user", "content": [part]}]})


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": {"type": "file", "file": {"file_id": "file-123"}}},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": 5}}]},
        {"role": "user", "content": ["Hello"]},
    ],
)
def test_a_shape_that_would_hide_what_is_asked_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="not of the documented shape"):
        parsed(parse, {"model": "m", "messages": [message]})


def test_sound_of_an_earlier_answer_cannot_be_named() -> None:
    with pytest.raises(RequestError, match="which all callers share here"):
        parsed(parse, {"model": "m", "messages": [*HELLO, {"role": "assistant", "audio": {"id": "audio_1"}}]})


def named(error: RequestError) -> tuple[str, str | None]:
    return error.code, error.param


@pytest.mark.parametrize(
    "given",
    [
        {"enable_search": True},
        {"web_search": True},
        {"provider": {"order": ["dear"], "data_collection": "allow"}},
        {"preset": "x"},
        {"extra_body": {"google": {"cached_content": "c"}}},
        {"use_beam_search": True},
        {"n_predict": 100_000},
        {"logits_processors": ["os.system"]},
        {"not_yet_invented": 1},
    ],
)
def test_a_parameter_of_unknown_price_is_refused_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        parsed(parse, {"model": "m", "messages": HELLO, **given})
    assert named(refused.value) == ("unsupported_parameter", *given)
    parsed(parse, {"model": "m", "messages": HELLO} | dict.fromkeys(given))


COMMON = {
    "top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": False},
    "reasoning": {"effort": "low"}, "thinking": {"type": "enabled"}, "verbosity": "low", "prompt_cache_key": "k",
    "safety_identifier": "u", "store": True, "metadata": {"a": "b"}, "logit_bias": {"50256": -100}, "seed": 0,
    "reasoning_effort": "high", "guided_json": {}, "parallel_tool_calls": False, "stop_token_ids": [2],
}  # fmt: skip


def test_parameters_that_cost_nothing_reach_a_provider_as_they_are() -> None:
    request = parsed(parse, {"model": "gpt-5", "messages": HELLO, **COMMON})
    sent = json.loads(OpenAILane(openai_chat, "/chat/completions").outbound(request, OPENAI, 0, {}).body)
    assert {name: sent[name] for name in COMMON} == COMMON


def test_what_one_provider_documents_reaches_no_other() -> None:
    request = parsed(parse, {"model": "m", "messages": HELLO, "safe_prompt": True})
    mistral = make.deployment("https://api.mistral.ai/v1", upstream_model="mistral-large")
    lane = OpenAILane(openai_chat, "/chat/completions")
    assert json.loads(lane.outbound(request, mistral, 0, {}).body)["safe_prompt"] is True
    with pytest.raises(RequestError) as refused:
        lane.outbound(request, OPENAI, 0, {})
    assert named(refused.value) == ("unsupported_parameter", "safe_prompt")


def test_a_picture_among_instructions_is_refused_and_not_dropped() -> None:
    content = [{"type": "text", "text": "Be brief."}, {"type": "image_url", "image_url": {"url": PNG}}]
    with pytest.raises(RequestError, match="must be text there"):
        asked(messages=[{"role": "system", "content": content}, *HELLO])
