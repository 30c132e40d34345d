"""The official `anthropic` Python SDK, unmodified, against aimock in both dialects; what it saw is what was metered."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.wire.conftest import Wired
from tests.wire.test_openai_python import event_of, said

TOOLS: Any = [{"name": "get_weather", "description": "Say how the weather is.", "input_schema": {"type": "object"}}]


@pytest.fixture(scope="module")
def mock(wired: Wired) -> Iterator[Anthropic]:
    with Anthropic(base_url=wired.server.base_url, api_key=wired.mock_key, max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("model", "cost"), [("mock-claude", 21 * 3_000 + 9 * 15_000), ("mock-chat", 21 * 2_500 + 9 * 10_000)]
)
def test_a_message_is_metered_as_the_mock_said(mock: Anthropic, wired: Wired, model: str, cost: int) -> None:
    raw = mock.messages.with_raw_response.create(model=model, max_tokens=100, messages=said("please greet"))
    answer: Any = raw.parse()
    assert answer.content[0].text == "Good morning from the mock."
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 21, 9)
    event = event_of(wired, raw.headers["request-id"])
    assert (event["input_tokens"], event["output_tokens"], event["cost_nano_usd"]) == (21, 9, cost)
    assert event["model"] == model


@pytest.mark.parametrize("model", ["mock-claude", "mock-chat"])
def test_streams_and_tools(mock: Anthropic, model: str) -> None:
    with mock.messages.stream(model=model, max_tokens=100, messages=said("please greet")) as stream:
        assert "".join(stream.text_stream) == "Good morning from the mock."
    with mock.messages.stream(model=model, max_tokens=100, messages=said("what weather"), tools=TOOLS) as stream:
        answer: Any = stream.get_final_message()
    called = answer.content[-1]
    assert (called.type, called.name, called.input) == ("tool_use", "get_weather", {"city": "Oslo"})
    assert (answer.stop_reason, answer.usage.output_tokens) == ("tool_use", 16)


@pytest.mark.parametrize("model", ["mock-claude", "mock-chat"])
def test_an_error_of_the_mock_says_whose_it_is(mock: Anthropic, model: str) -> None:
    with pytest.raises(anthropic.InternalServerError) as caught:
        mock.messages.create(model=model, max_tokens=100, messages=said("please fail"))
    body: Any = caught.value.body
    assert "The mock is tired." in body["error"]["message"] and body["error"]["source"] == "provider"


def test_openais_sdk_reaches_the_mock_in_anthropics_dialect(wired: Wired) -> None:
    with OpenAI(base_url=wired.base_url, api_key=wired.mock_key, max_retries=0) as client:
        chunks = list(client.chat.completions.create(model="mock-claude", messages=said("please greet"), stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Good morning from the mock."


def test_models_and_counts(mock: Anthropic) -> None:
    assert "mock-claude" in {model.id for model in mock.models.list()}
    assert mock.messages.count_tokens(model="mock-chat", messages=said("please greet")).input_tokens > 0
