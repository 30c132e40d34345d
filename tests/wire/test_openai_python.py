"""The official `openai` Python SDK, unmodified, against both upstreams; what it saw is what was metered."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.services.processes import wait_until
from tests.wire.conftest import Wired

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Say how the weather is.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@pytest.fixture(scope="module")
def mock(wired: Wired) -> Iterator[OpenAI]:
    with OpenAI(base_url=wired.base_url, api_key=wired.mock_key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def demo(wired: Wired) -> Iterator[OpenAI]:
    with OpenAI(base_url=wired.base_url, api_key=wired.demo_key, max_retries=0) as client:
        yield client


def said(words: str) -> Any:
    return [{"role": "user", "content": words}]


def event_of(wired: Wired, request_id: str) -> dict[str, Any]:
    """Read the usage event of a call, as `manage.py usage` prints it."""

    def found() -> list[dict[str, Any]]:
        rows = json.loads(wired.server.command("usage", "--format", "json").stdout)
        return [row for row in rows if row["request_id"] == request_id]

    wait_until(lambda: bool(found()), what=f"usage of {request_id}", timeout_s=10)
    (row,) = found()
    return row


def test_chat_on_the_mock_is_metered_as_the_mock_said(mock: OpenAI, wired: Wired) -> None:
    raw = mock.chat.completions.with_raw_response.create(model="mock-chat", messages=said("please greet"))
    answer = raw.parse()
    assert answer.choices[0].message.content == "Good morning from the mock."
    assert answer.usage is not None
    event = event_of(wired, raw.headers["x-request-id"])
    assert (event["input_tokens"], event["output_tokens"]) == (21, 9)
    assert (event["input_tokens"], event["output_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert event["cost_nano_usd"] == 21 * 2_500 + 9 * 10_000
    assert raw.headers["x-atrium-cost-usd"] == "0.0001425"
    assert (event["team"], event["user"], event["model"]) == ("wire", "member@wire.example", "mock-chat")


def test_a_stream_on_the_mock(mock: OpenAI, wired: Wired) -> None:
    with mock.chat.completions.with_streaming_response.create(
        model="mock-chat", messages=said("please greet"), stream=True
    ) as response:
        chunks = list(response.parse())
        request_id = response.headers["x-request-id"]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Good morning from the mock."
    assert all(chunk.usage is None for chunk in chunks), "nobody asked for usage"
    event = event_of(wired, request_id)
    assert (event["input_tokens"], event["output_tokens"], event["estimated"]) == (21, 9, False)


def test_tools_on_the_mock(mock: OpenAI) -> None:
    answer = mock.chat.completions.create(model="mock-chat", messages=said("what weather"), tools=TOOLS)
    (called,) = answer.choices[0].message.tool_calls or ()
    assert called.type == "function" and called.function.name == "get_weather"
    assert json.loads(called.function.arguments) == {"city": "Oslo"}
    assert answer.choices[0].finish_reason == "tool_calls"


def test_embeddings_on_the_mock(mock: OpenAI) -> None:
    answer = mock.embeddings.create(model="mock-embed", input="embed me", encoding_format="float")
    assert answer.data[0].embedding == [0.5, -0.25, 0.125]


def test_an_error_of_the_mock_says_whose_it_is(mock: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        mock.chat.completions.create(model="mock-chat", messages=said("please fail"))
    body: Any = caught.value.body
    assert "The mock is tired." in body["message"] and body["source"] == "provider"


def test_chat_and_stream_on_the_demo_engine_agree_with_the_ledger(demo: OpenAI, wired: Wired) -> None:
    raw = demo.chat.completions.with_raw_response.create(model="demo-chat", messages=said("Hello there"))
    answer = raw.parse()
    event = event_of(wired, raw.headers["x-request-id"])
    assert answer.usage is not None
    assert (event["input_tokens"], event["output_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    stream = demo.chat.completions.create(
        model="demo-chat", messages=said("Hello there"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == answer.usage.prompt_tokens


def test_images_and_moderation_on_the_demo_engine_are_in_the_ledger(demo: OpenAI, wired: Wired) -> None:
    raw = demo.images.with_raw_response.generate(model="demo-image", prompt="a tide pool", n=2, size="256x256")
    assert len(raw.parse().data or ()) == 2
    event = event_of(wired, raw.headers["x-request-id"])
    assert (event["cost_nano_usd"], event["units"], event["estimated"]) == (20_000_000, {"images": 2}, False)
    assert demo.images.edit(model="demo-image", prompt="bluer", image=("a.png", b"PNG", "image/png")).data
    assert demo.moderations.create(input="good day").results[0].flagged is False


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI ends its models for sound, not others
def test_sound_on_the_demo_engine_is_in_the_ledger(demo: OpenAI, wired: Wired) -> None:
    said = demo.audio.speech.with_raw_response.create(model="demo-speech", voice="alloy", input="Hello.")
    event = event_of(wired, said.headers["x-request-id"])
    assert (event["cost_nano_usd"], event["units"]["characters"], event["estimated"]) == (90_000, 6, False)
    heard = demo.audio.transcriptions.with_raw_response.create(
        model="demo-transcription", file=("hello.wav", said.content), response_format="verbose_json"
    )
    assert "nobody listened" in heard.parse().text
    event = event_of(wired, heard.headers["x-request-id"])
    assert (event["cost_nano_usd"], event["units"], event["estimated"]) == (300_000, {"seconds": 3}, False)


def test_tools_and_structured_output_on_the_demo_engine(demo: OpenAI) -> None:
    answer = demo.chat.completions.create(
        model="demo-chat", messages=said("Use the tool"), tools=TOOLS, tool_choice="required"
    )
    (called,) = answer.choices[0].message.tool_calls or ()
    assert called.type == "function" and "city" in json.loads(called.function.arguments)
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    shaped = demo.chat.completions.create(
        model="demo-chat",
        messages=said("A number, please"),
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
        n=2,
    )
    assert len(shaped.choices) == 2
    assert all(isinstance(json.loads(choice.message.content or "")["n"], int) for choice in shaped.choices)


def test_embeddings_on_the_demo_engine(demo: OpenAI) -> None:
    answer = demo.embeddings.create(model="demo-embed", input=["one", "two"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) > 8
    assert answer.data[0].embedding != answer.data[1].embedding


def test_models_are_exactly_what_the_key_may_call(demo: OpenAI, mock: OpenAI) -> None:
    assert {model.id for model in mock.models.list()} == {"mock-chat", "mock-claude", "mock-embed"}
    assert "demo-chat-large" not in {model.id for model in demo.models.list()}
    assert demo.models.retrieve("demo-chat").id == "demo-chat"


def test_errors_are_the_sdks_own_exceptions(demo: OpenAI, wired: Wired) -> None:
    with pytest.raises(openai.NotFoundError):
        demo.chat.completions.create(model="no-such-model", messages=said("Hello"))
    with pytest.raises(openai.PermissionDeniedError) as refused:
        demo.chat.completions.create(model="demo-chat-large", messages=said("Hello"))
    body: Any = refused.value.body
    assert "/requests/new?kind=model&model=demo-chat-large" in body["portal_url"]
    with pytest.raises(openai.BadRequestError):
        demo.chat.completions.create(model="demo-chat", messages=said("Hello"), n=-1)
    with pytest.raises(openai.RateLimitError) as limited:
        demo.chat.completions.create(model="demo-chat", messages=said("demo:error=429"))
    assert limited.value.response.headers["x-request-id"]
    stranger = OpenAI(base_url=wired.base_url, api_key="atp_" + "x" * 36, max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_revoked_key_stops_within_a_second(wired: Wired) -> None:
    mint = ["mint_key", "--team", "wire", "--user", "member@wire.example", "--name", "short-lived", "--expires", "1d"]
    secret = wired.server.command(*mint).stdout.strip()
    client = OpenAI(base_url=wired.base_url, api_key=secret, max_retries=0)
    assert list(client.models.list())
    wired.server.command("revoke_key", key_id_of(client))
    wait_until(lambda: refuses(client), what="refusal of the revoked key", timeout_s=1)


def refuses(client: OpenAI) -> bool:
    """Say whether the key is refused now."""
    try:
        client.models.list()
    except openai.AuthenticationError:
        return True
    return False


def key_id_of(client: OpenAI) -> str:
    """Ask `/v1/key` for the key's own id."""
    answer: Any = client.get("/key", cast_to=object)
    return str(answer["id"])
