"""The canonical form as a Gemini request, and Gemini's answers as the canonical form."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.canonical import (
    Answer,
    Choice,
    Failed,
    Format,
    Media,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)  # fmt: skip
from gateway.dialects.gemini.answers import read_answer, written_answer
from gateway.dialects.gemini.lane import generate_path
from gateway.dialects.gemini.outgoing import UNSIGNED, write_request
from gateway.dialects.gemini.usage import usage_of
from gateway.errors import RequestError
from gateway.money import parse_usd
from gateway.snapshot import Price
from gateway.stages.meter import cost
from gateway.types import Usage
from tests.factories import gateway as make
from tests.gateway.dialects.speaking import GOLDEN

HELLO = [Message("user", [Text("Hello")])]


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / "gemini" / f"{name}.json").read_text())
    return found


def written(request: Request, model: str = "gemini-2.5-flash", cap: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_request(request, model, cap))
    return found


def candidate(*parts: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": index, **more}]}


def test_a_request_is_written_whole() -> None:
    request = Request(
        model="gemini-2.5-flash",
        system=[Text("Be brief.")],
        messages=[
            Message("user", [Text("Look"), Media("image", "image/png", data="aGk="), Media("document", text="hi")]),
            Message("assistant", [Thinking("Hm", "c2ln", by="anthropic"), ToolCall("t1", "f", '{"x": 1}')]),
            Message("user", [ToolResult("t1", [Text("done"), Media("image", url="https://example.com/a.png")])]),
        ],
        tools=[Tool("f", "does f", {"type": "object", "properties": {"x": {"const": 1}}})],
        tool_choice="named", tool_name="f", format=Format({"type": "object"}), choices=2, max_output_tokens=9,
        temperature=0.0, top_k=3, stop=["END"], seed=1, logprobs=True, top_logprobs=2, effort="medium", user="u",
        thoughts_wanted=True,
    )  # fmt: skip
    body = written(request)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [
        {
            "role": "user",
            "parts": [
                {"text": "Look"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
            ],
        },
        {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "f", "args": {"x": 1}}}]},
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "t1",
                        "name": "f",
                        "response": {"output": "done"},
                        "parts": [{"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}],
                    }
                }
            ],
        },
    ]
    declared = {"type": "object", "properties": {"x": {"enum": [1]}}}
    assert body["tools"] == [
        {"functionDeclarations": [{"name": "f", "description": "does f", "parametersJsonSchema": declared}]}
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    assert body["generationConfig"] == {
        "maxOutputTokens": 9, "candidateCount": 2, "temperature": 0.0, "topK": 3, "stopSequences": ["END"], "seed": 1,
        "responseLogprobs": True, "logprobs": 2, "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"}, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 10_240},
    }  # fmt: skip


def test_the_cap_is_ours_where_the_client_set_none() -> None:
    assert written(Request("", HELLO), cap=77)["generationConfig"] == {"maxOutputTokens": 77}
    assert written(Request("", HELLO, max_output_tokens=5), cap=77)["generationConfig"] == {"maxOutputTokens": 5}
    assert "generationConfig" not in written(Request("", HELLO))


@pytest.mark.parametrize(
    ("changes", "model", "config"),
    [
        ({"effort": "minimal"}, "gemini-3.5-flash", {"thinkingLevel": "MINIMAL"}),
        ({"effort": "xhigh"}, "gemini-3.1-pro-preview", {"thinkingLevel": "HIGH"}),
        ({"effort": "xhigh"}, "gemini-2.5-pro", {"thinkingBudget": 24_576}),
        ({"effort": "none"}, "gemini-2.5-flash", {"thinkingBudget": 0}),
        ({"thinking_tokens": 512, "effort": "high"}, "gemini-2.5-flash", {"thinkingBudget": 512}),
    ],
)
def test_thinking_is_asked_for_as_the_model_knows_it(changes: Any, model: str, config: dict[str, Any]) -> None:
    assert written(Request("", HELLO, **changes), model)["generationConfig"]["thinkingConfig"] == config


def test_calls_are_signed_where_gemini_wants_it() -> None:
    messages = [Message("assistant", [ToolCall("a", "f", "{}", "c2ln"), ToolCall("b", "f", "")])]
    later = written(Request("", messages), "gemini-3-flash-preview")["contents"][0]["parts"]
    assert [part.get("thoughtSignature") for part in later] == ["c2ln", UNSIGNED]
    earlier = written(Request("", messages), "gemini-2.5-flash")["contents"][0]["parts"]
    assert [part.get("thoughtSignature") for part in earlier] == ["c2ln", None]


def test_strict_tools_are_validated() -> None:
    body = written(Request("", HELLO, tools=[Tool("f", strict=True)]))
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"parallel_tools": False, "tools": [Tool("f")]}, "parallel_tool_calls"),
        ({"messages": [Message("assistant", [ToolCall("a", "f", "[1]")])]}, "messages"),
        ({"messages": [Message("user", [ToolResult("a", [Text("x")])])]}, "messages"),
        ({"messages": [Message("user", [Media("image", url="https://example.com/nothing")])]}, "messages"),
    ],
)
def test_what_gemini_cannot_be_told_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        written(Request(**{"model": "", "messages": HELLO, **changes}))
    assert caught.value.param == param


def test_paths_of_the_gemini_api_and_of_vertex() -> None:
    place = make.deployment("https://x.test/v1", dialect="gemini", upstream_model="models/gemini-2.5-flash")
    assert generate_path(place, streamed=False) == "/models/gemini-2.5-flash:generateContent"
    options = {"project": "acme-1", "location": "europe-west1"}
    place = make.deployment("https://x.test/v1", dialect="vertex", upstream_model="gemini-2.5-pro", options=options)
    lead = "/projects/acme-1/locations/europe-west1/publishers"
    assert generate_path(place, streamed=True) == f"{lead}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("name", ["whole", "embeddings"])
def test_usage_as_google_says_it(name: str) -> None:
    found = recorded(name)
    assert usage_of(found["payload"]["usageMetadata"]) == Usage(**found["usage"])


def test_golden_cost_with_thought_and_cache() -> None:
    price = Price("p", 0.0, input=300_000_000, output=2_500_000_000, cached_input=30_000_000)  # 0.30, 2.50, 0.03 USD
    usage = usage_of(recorded("whole")["payload"]["usageMetadata"])
    assert usage is not None
    assert cost(usage, price) == 90 * 300 + 40 * 30 + 80 * 2_500 == parse_usd("0.0002282")


@pytest.mark.parametrize(
    "usage", [None, {}, {"promptTokenCount": "9"}, {"promptTokenCount": -1}, {"promptTokenCount": True}, []]
)
def test_usage_that_says_nothing(usage: object) -> None:
    assert usage_of(usage) is None


def test_thought_that_is_only_in_the_total_is_output() -> None:
    assert usage_of({"promptTokenCount": 10, "totalTokenCount": 60}) == Usage(10, 0, 0, 50)


def test_a_whole_answer_is_read() -> None:
    answer = read_answer(json.dumps(recorded("whole")["payload"]).encode())
    assert isinstance(answer, Answer)
    assert answer.choices == [Choice([Thinking("Thinking step 1...", by="gemini"), Text("Hello ")], "length")]


def test_calls_end_with_tools_and_get_ids() -> None:
    call = {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"}
    body = json.dumps(candidate(call, call, finishReason="STOP")).encode()
    answer, again = read_answer(body), read_answer(body)
    assert isinstance(answer, Answer) and isinstance(again, Answer)
    [choice] = answer.choices
    assert choice.stop == "tools"
    calls = [part for part in choice.parts + again.choices[0].parts if isinstance(part, ToolCall)]
    assert {(one.name, one.arguments, one.signature) for one in calls} == {("f", '{"x":1}', "c2ln")}
    assert len({one.id for one in calls}) == 4, "ids of one conversation differ"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "filtered"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, "filtered"),
        ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, "filtered"),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, "length"),
        ({"candidates": [{"finishReason": "STOP", "content": {"role": "model"}}]}, "end"),
    ],
)
def test_why_an_answer_ended(body: dict[str, Any], expected: str) -> None:
    answer = read_answer(json.dumps(body).encode())
    assert isinstance(answer, Answer) and answer.choices[0].stop == expected


def test_an_error_inside_is_one() -> None:
    error = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
    assert read_answer(json.dumps({"error": error}).encode()) == Failed(error, 503)
    assert read_answer(b"<html>") is None and read_answer(b"{}") is None


words = st.text(st.characters(codec="utf-8"), max_size=30)
parts = st.one_of(
    st.builds(Text, words.filter(bool)),
    st.builds(lambda text: Thinking(text, by="gemini"), words.filter(bool)),
    st.builds(lambda name, value: ToolCall("c", name, json.dumps({"x": value})), words, words),
)


@given(st.lists(parts, max_size=5), st.sampled_from(["end", "length", "filtered"]), st.integers(0, 99))
def test_answers_survive_the_way_there_and_back(made: list[Any], stop: Any, thought: int) -> None:
    usage = Usage(10, 5, 0, 20 + thought, thought)
    merged: list[Any] = []
    for part in made:  # neighbours of one kind are one part
        if merged and type(merged[-1]) is type(part) and not isinstance(part, ToolCall):
            merged[-1].text += part.text
        else:
            merged.append(type(part)(**{name: getattr(part, name) for name in asdict(part)}))
    if stop == "end" and any(isinstance(part, ToolCall) for part in merged):
        stop = "tools"
    answer = read_answer(written_answer(Answer("r", "m", [Choice(merged, stop)], usage), thoughts=True))
    assert isinstance(answer, Answer)
    [choice] = answer.choices
    for part in choice.parts + merged:
        if isinstance(part, ToolCall):
            part.arguments = json.dumps(json.loads(part.arguments))
    assert (choice.parts, choice.stop, answer.usage, answer.id, answer.model) == (merged, stop, usage, "r", "m")


@pytest.mark.parametrize(
    "media",
    [
        Media("document", url="gs://board/minutes.pdf"),
        Media("image", url="gs://board/chart.png"),
        Media("image", url="https://www.youtube.com/watch?v=abc&x=.png"),
        Media("image", url="https://youtube.com\\@example.com/x.png"),
        Media("document", "application/pdf", url="https://generativelanguage.googleapis.com./v1beta/files/x.pdf"),
        Media("image", url="https://generativelanguage.googleapis.com/v1beta/files/x.png"),
        Media("document", url="https://example.com/film.mp4"),
        Media("document", "audio/mp3", data="AAAA"),
        Media("image", "Video/MP4", data="AAAA"),
        Media("document", "audio/wav", text="AAAA"),
    ],
)
def test_media_of_other_dialects_meet_the_rules_of_geminis_own(media: Media) -> None:
    for part in (media, ToolResult("t1", [media], name="f")):
        with pytest.raises(RequestError, match=r"Send the data inline|sound and film"):
            written(Request("gemini-2.5-flash", [Message("user", [part])]))


def test_public_addresses_reach_gemini() -> None:
    file = Media("document", url="https://example.com/report.pdf")
    sent = written(Request("gemini-2.5-flash", [Message("user", [file])]))
    assert sent["contents"][0]["parts"] == [
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/report.pdf"}}
    ]
