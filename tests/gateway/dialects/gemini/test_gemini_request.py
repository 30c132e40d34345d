"""What is read of a Gemini request: bounds, refusals, and the canonical form."""

import json
from typing import Any

import pytest

from gateway.dialects.canonical import Format, Media, Text, Thinking, Tool, ToolCall, ToolResult
from gateway.dialects.gemini import client, embeddings, request
from gateway.dialects.gemini.contents import Reading
from gateway.dialects.gemini.schema import for_gemini, json_schema
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import INSTRUCTIONS_TOKENS
from gateway.errors import RequestError
from gateway.types import ParsedRequest

HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]
PNG = {"mimeType": "image/png", "data": "aGk="}


def parsed(**body: Any) -> ParsedRequest:
    return request.parse(Members(json.dumps({"contents": HELLO, **body}).encode()), "gemini-2.5-flash")


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": list(parts)}]


@pytest.mark.parametrize("config", ["generationConfig", "generation_config"])
@pytest.mark.parametrize(
    "given", [{"maxOutputTokens": 50, "candidateCount": 2}, {"max_output_tokens": 50, "candidate_count": 2}]
)
def test_bounds_are_read_in_both_spellings(config: str, given: dict[str, int]) -> None:
    read = parsed(**{config: given})
    assert (read.output_cap, read.choices, read.model, read.streamed) == (50, 2, "gemini-2.5-flash", False)
    assert read.prompt_bound == len(read.members.body) and not read.window_bound


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"contents": None}, "contents"),
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"cached_content": "cachedContents/1"}, "cachedContent"),
        ({"tools": [{"googleSearch": {}}]}, "tools"),
        ({"tools": {"google_search": {}}}, "tools"),
        ({"tools": [{"functionDeclarations": [], "codeExecution": {}}]}, "tools"),
        ({"tools": [{"urlContext": {}}]}, "tools"),
        ({"serviceTier": "priority"}, "serviceTier"),
        ({"continuationToken": "x"}, "continuationToken"),
        ({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, "responseModalities"),
        ({"generationConfig": {"responseFormat": [{"image": {}}]}}, "responseFormat"),
        ({"generationConfig": {"routing_config": {"autoMode": {}}}}, "routingConfig"),
        ({"generationConfig": {"maxOutputTokens": -1}}, "maxOutputTokens"),
        ({"generationConfig": {"MaxOutputTokens": 9}}, "maxOutputTokens"),
        ({"generationConfig": {"maxOutputTokens": 9, "max_output_tokens": 99}}, "maxOutputTokens"),
        ({"generationConfig": {}, "generation_config": {"candidateCount": 100}}, "generationConfig"),
        ({"contents": user({"inlineData": {"mimeType": "audio/wav", "data": ""}})}, "contents"),
        ({"contents": user({"inline_data": {"mime_type": "VIDEO/mp4", "data": ""}})}, "contents"),
        ({"contents": user({"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}})}, "contents"),
        ({"contents": user({"fileData": {"mimeType": "image/png", "fileUri": "https://youtu.be/x"}})}, "contents"),
        ({"contents": user({"fileData": {"fileUri": "https://example.com/x"}})}, "contents"),
        (
            {
                "contents": user(
                    {
                        "fileData": {
                            "mimeType": "image/png",
                            "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1",
                        }
                    }
                )
            },
            "contents",
        ),
    ],
)
def test_what_is_not_metered_or_not_the_callers_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(**body)
    assert caught.value.param == param, caught.value.message


@pytest.mark.parametrize(
    ("part", "bound", "visible"),
    [
        ({"inlineData": PNG}, 49_000 - len("aGk="), True),
        ({"inline_data": {"mime_type": "image/png", "data": "aGk="}}, 49_000 - len("aGk="), True),
        ({"inlineData": {"mimeType": "text/plain", "data": "aGk="}}, 0, True),
        ({"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}, 0, False),
        ({"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}, 0, False),
        ({"functionResponse": {"name": "f", "response": {}, "parts": [{"inlineData": PNG}]}}, 49_000 - 4, True),
    ],
)
def test_the_bound_of_a_prompt_with_media(part: dict[str, Any], bound: int, visible: bool) -> None:
    read = parsed(contents=user(part))
    assert (read.prompt_bound - len(read.members.body), not read.window_bound) == (bound, visible)
    alone = parsed(contents={"parts": part})  # Google takes one object for a list of one
    assert (alone.prompt_bound - len(alone.members.body), not alone.window_bound) == (bound, visible)


def test_a_conversation_with_tools_is_read_whole() -> None:
    read = client.read(
        parsed(
            system_instruction={"parts": [{"text": "Be brief."}]},
            contents=[
                {"parts": [{"text": "Weather?"}, {"inlineData": PNG}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "Let me look.", "thought": True, "thoughtSignature": "c2ln"},
                        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "YQ=="},
                        {"functionCall": {"id": "mine", "name": "weather", "args": {"city": "Rome"}}},
                    ],
                },
                {
                    "role": "function",
                    "parts": [
                        {"functionResponse": {"name": "weather", "response": {"output": "rain"}}},
                        {"functionResponse": {"id": "mine", "name": "weather", "response": {"error": "no such city"}}},
                    ],
                },
                {"role": "user", "parts": [{"text": "Thanks."}]},
            ],
        )
    )
    assert read.system == [Text("Be brief.")]
    assert [message.role for message in read.messages] == ["user", "assistant", "user"]
    assert read.messages[0].parts == [Text("Weather?"), Media("image", "image/png", data="aGk=")]
    assert read.messages[1].parts == [
        Thinking("Let me look.", "c2ln", by="gemini"),
        ToolCall("call_1", "weather", '{"city":"Oslo"}', "YQ=="),
        ToolCall("mine", "weather", '{"city":"Rome"}'),
    ]
    assert read.messages[2].parts == [
        ToolResult("call_1", [Text("rain")], name="weather"),
        ToolResult("mine", [Text("no such city")], failed=True, name="weather"),
        Text("Thanks."),
    ]


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(RequestError, match="answers no functionCall"):
        client.read(parsed(contents=user({"functionResponse": {"name": "f", "response": {}}})))


def test_parameters_are_read() -> None:
    read = client.read(
        parsed(
            generationConfig={
                "temperature": 0.5, "topP": 0.9, "topK": 40.0, "maxOutputTokens": 99, "stopSequences": ["END"],
                "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 3,
                "responseMimeType": "application/json", "candidateCount": 2,
                "responseSchema": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "nullable": True}}},
                "thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True},
            },
            safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        )
    )  # fmt: skip
    assert (read.temperature, read.top_p, read.top_k, read.max_output_tokens) == (0.5, 0.9, 40, 99)
    assert (read.stop, read.seed, read.presence_penalty, read.frequency_penalty) == (["END"], 7, 0.1, 0.2)
    assert (read.logprobs, read.top_logprobs, read.choices) == (True, 3, 2)
    assert (read.thinking_tokens, read.thoughts_wanted, read.effort) == (0, True, "")
    assert read.format == Format({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}})


@pytest.mark.parametrize(
    ("config", "choice", "name", "tools"),
    [
        ({"mode": "AUTO"}, "auto", "", ["a", "b", "c"]),
        ({"mode": "NONE"}, "none", "", ["a", "b", "c"]),
        ({"mode": "ANY"}, "required", "", ["a", "b", "c"]),
        ({"mode": "any", "allowed_function_names": ["b"]}, "named", "b", ["a", "b", "c"]),
        ({"mode": "ANY", "allowedFunctionNames": ["a", "c"]}, "required", "", ["a", "c"]),
    ],
)
def test_the_choice_of_tools(config: dict[str, Any], choice: str, name: str, tools: list[str]) -> None:
    declared = [{"functionDeclarations": [{"name": one} for one in "abc"]}]
    read = client.read(parsed(tools=declared, toolConfig={"functionCallingConfig": config}))
    assert (read.tool_choice, read.tool_name, [tool.name for tool in read.tools]) == (choice, name, tools)


def test_schemas_of_tools_are_read_from_either_kind() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "minLength": 2}}, "required": ["x"]}
    own = {"type": "OBJECT", "properties": {"x": {"type": "STRING", "minLength": "2"}}, "required": ["x"]}
    declared = [{"name": "f", "parametersJsonSchema": schema}, {"name": "g", "parameters": own}, {"name": "h"}]
    read = client.read(parsed(tools=[{"functionDeclarations": declared}]))
    nothing = {"type": "object", "properties": {}}
    assert read.tools == [Tool("f", "", schema), Tool("g", "", schema), Tool("h", "", nothing)]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"safetySettings": [{"threshold": "BLOCK_LOW_AND_ABOVE"}]}, "safetySettings"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}}}, "toolConfig"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "responseMimeType"),
        ({"generationConfig": {"enableAffectiveDialog": True}}, "enableAffectiveDialog"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "GIANT"}}}, "thinkingConfig"),
        ({"contents": user({"executableCode": {"code": "1"}})}, "contents"),
    ],
)
def test_what_no_other_dialect_knows_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        client.read(parsed(**body))
    assert caught.value.param == param


def test_json_schema_is_put_in_words_that_gemini_knows() -> None:
    given = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "kind": {"const": "a"},
            "pet": {"$ref": "#/$defs/Pet", "description": "a pet"},
            "one": {"allOf": [{"type": "string"}], "description": "d"},
            "const": {"type": "string"},
        },
        "$defs": {"Pet": {"type": "object", "additionalProperties": {"const": 1}}},
    }
    assert for_gemini(given) == {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a"]},
            "pet": {"$ref": "#/$defs/Pet"},
            "one": {"type": "string", "description": "d"},
            "const": {"type": "string"},
        },
        "$defs": {"Pet": {"type": "object", "additionalProperties": {"enum": [1]}}},
    }


def test_geminis_own_schemas_read_as_json_schema() -> None:
    given = {
        "type": "ARRAY",
        "maxItems": "3",
        "items": {"anyOf": [{"type": "STRING", "format": "enum", "enum": ["A"]}, {"type": "NUMBER"}], "nullable": True},
    }
    assert json_schema(given) == {
        "type": "array",
        "maxItems": 3,
        "items": {"anyOf": [{"type": "string", "enum": ["A"]}, {"type": "number"}, {"type": "null"}]},
    }


FILM = {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x"}}


@pytest.mark.parametrize(
    "body",
    [
        {"contents": [[{"parts": [FILM]}]]},
        {"contents": [{"parts": [[FILM]]}]},
        {"contents": [{"parts": [{"fileData": [FILM["fileData"]]}]}]},
        {"contents": [{"parts": [{"inlineData": [{"mimeType": "audio/mp3", "data": "AAAA"}]}]}]},
        {"contents": [{"parts": [{"functionResponse": {"name": "f", "parts": [[FILM]]}}]}]},
        {"contents": "Hello"},
        {"tools": [[{"googleSearch": {}}]]},
        {"systemInstruction": [[{"parts": [FILM]}]]},
    ],
)
def test_what_is_no_object_is_refused_and_not_passed_over(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="objects"):
        parsed(**body)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"functionDeclarations": [{"name": "f"}]}]},
        {"generationConfig": {"responseSchema": {"type": "STRING"}}},
        {"generation_config": {"response_mime_type": "application/json"}},
    ],
)
def test_instructions_that_whoever_answers_may_add_are_in_the_bound(body: dict[str, Any]) -> None:
    read = parsed(**body)
    assert read.prompt_bound == len(read.members.body) + INSTRUCTIONS_TOKENS


def test_calls_without_ids_get_none_that_the_client_chose() -> None:
    calls = [{"functionCall": {"name": "f"}}, {"functionCall": {"id": "call_1", "name": "g"}}]
    results = [
        {"functionResponse": {"name": "f", "response": {"output": "F"}}},
        {"functionResponse": {"id": "call_1", "name": "g", "response": {"output": "G"}}},
    ]
    turns = Reading().messages([{"role": "model", "parts": calls}, {"role": "user", "parts": results}])
    assert [(part.id, part.name) for turn in turns for part in turn.parts] == [("call_2", "f"), ("call_1", "g")] * 2


def test_one_embedding_takes_no_list_of_requests() -> None:
    body = {"content": {"parts": [{"text": "a"}]}, "requests": 5}
    with pytest.raises(RequestError) as refused:
        embeddings.parse_one(Members(json.dumps(body).encode()), "m")
    assert refused.value.param == "requests"
