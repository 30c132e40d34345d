"""OpenAI's official client over Gemini, and Google's over an OpenAI-compatible provider."""

from typing import Any

import pytest
from google import genai
from google.genai import types

from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan


@pytest.mark.parametrize("streamed", [False, True])
def test_openais_client_over_gemini(gateway: LiveGateway, upstream: FakeUpstream, streamed: bool) -> None:
    tokens = {"thoughtsTokenCount": 6}
    upstream.script(Plan(text="Good day", prompt_tokens=10, completion_tokens=2, tokens=tokens))
    with gateway.openai() as client:
        messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
        options: Any = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        answer: Any = client.chat.completions.create(model="gemini", messages=messages, **options)
        if streamed:
            chunks = list(answer)
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            usage = chunks[-1].usage
        else:
            said, usage = answer.choices[0].message.content, answer.usage
    assert said == "Good day"
    assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (8, 6)
    sent = upstream.received[0].json()
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert sent["generationConfig"]["maxOutputTokens"] == 4_096
    assert gateway.journal.closed[0].output_tokens == 8


def test_a_tool_of_openais_client_over_gemini(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(Plan(tool=True), Plan(text="It rains."))
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    messages: list[Any] = [{"role": "user", "content": "Weather?"}]
    with gateway.openai() as client:
        asked = client.chat.completions.create(model="gemini", messages=messages, tools=tools, tool_choice="required")
        calls: Any = asked.choices[0].message.tool_calls
        [call] = calls
        assert asked.choices[0].finish_reason == "tool_calls"
        messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        said = client.chat.completions.create(model="gemini", messages=messages, tools=tools)
    assert said.choices[0].message.content == "It rains."
    first, second = (received.json() for received in upstream.received)
    assert first["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    response = second["contents"][2]["parts"][0]["functionResponse"]
    assert (response["name"], response["response"]) == ("get_weather", {"output": "rain"})


def test_structured_output_is_translated(sdk: genai.Client, upstream: FakeUpstream) -> None:
    upstream.script(Plan(text='{"n": 1}'))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    assert sdk.models.generate_content(model="translated", contents="A number", config=config).text == '{"n": 1}'
    asked = upstream.received[0].json()["response_format"]
    assert (asked["type"], asked["json_schema"]["schema"]) == ("json_schema", schema)
