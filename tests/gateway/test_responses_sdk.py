"""OpenAI's own SDK speaking Responses: to a provider that serves it, and to ones of other formats."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.factories import gateway as make
from tests.gateway import live
from tests.gateway.conftest import StartGateway
from tests.gateway.live import LiveGateway, until
from tests.upstream import FakeUpstream, Plan

TOOLS: Any = [
    {"type": "function", "name": "one", "description": "d", "parameters": {"type": "object"}, "strict": False}
]
MODELS = ["native", "chat-small", "claude"]
HELLO: Any = live.HELLO
BODY = {"model": "native", "input": "Say hello.", "stream": True}


class Greeting(BaseModel):
    """What the model is asked to say."""

    words: str


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with `native` at a provider that serves Responses, and models of other formats."""
    native = make.deployment(upstream.url, id="dep_n", options={"profile": "openai"}, upstream_model="gpt-5")
    claude = make.deployment(upstream.url, id="dep_a", dialect="anthropic", upstream_model="claude-sonnet-4-5")
    chat = make.deployment(upstream.url)
    completing = make.model("base", chat, capabilities=frozenset({"completions"}))
    models = [make.model("native", native), make.model("chat-small", chat), make.model("claude", claude)]
    return start_gateway(models=[*models, completing])


@pytest.fixture
def client(gateway: LiveGateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client, set up as our documentation says."""
    with gateway.openai() as found:
        yield found


def test_a_response_passes_as_it_is(client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    details = {"input_tokens_details": {"cached_tokens": 40}, "output_tokens_details": {"reasoning_tokens": 7}}
    upstream.script(Plan(text="Hello there.", prompt_tokens=100, completion_tokens=20, tokens=details))
    answer = client.responses.create(
        model="native", input="Say hello.", reasoning={"effort": "low"},
        include=["reasoning.encrypted_content"], store=True, metadata={"a": "b"},
    )  # fmt: skip
    assert (answer.output_text, answer.status) == ("Hello there.", "completed")
    [received], [opened], [closed] = upstream.received, gateway.journal.opened, gateway.journal.closed
    assert received.target == "/v1/responses"
    assert received.json() == {
        "model": "gpt-5", "input": "Say hello.", "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"], "store": False, "metadata": {"a": "b"}, "max_output_tokens": 4096,
    }  # fmt: skip
    assert (opened.endpoint, opened.bound_output_tokens) == ("responses", 4096)
    assert 0 < opened.bound_input_tokens < 1_000
    assert (closed.input_tokens, closed.cached_tokens, closed.output_tokens, closed.reasoning_tokens) == (
        100,
        40,
        20,
        7,
    )
    assert closed.cost_nano_usd == 60 * 150 + 40 * 75 + 20 * 600


def test_a_streamed_response_passes_byte_for_byte(gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.always(Plan(text="one two three", prompt_tokens=10, completion_tokens=3))
    body = BODY | {"max_output_tokens": 50}
    direct = gateway.stranger.post(f"{upstream.url}/responses", json=body | {"model": "gpt-5"})
    through = gateway.client.post("/v1/responses", json=body)
    assert through.content.replace(b"fake_2", b"fake_1") == direct.content
    [closed] = gateway.journal.closed
    assert (closed.input_tokens, closed.output_tokens, closed.estimated) == (10, 3, False)


@pytest.mark.parametrize("model", MODELS)
def test_text_and_streams_and_a_loop_of_tools(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, model: str
) -> None:
    upstream.script(
        Plan(text="Hello there.", prompt_tokens=10, completion_tokens=3),
        Plan(text="one two three", prompt_tokens=10, completion_tokens=3), Plan(tool=True), Plan(text="Done."),
    )  # fmt: skip
    answer = client.responses.create(model=model, input="Hi", instructions="Be brief.", temperature=0.5)
    assert (answer.output_text, answer.status, answer.instructions) == ("Hello there.", "completed", "Be brief.")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (10, 3, 13)
    with client.responses.stream(model=model, input=HELLO) as stream:
        seen = list(stream)
        streamed: Any = stream.get_final_response()
    assert "".join(event.delta for event in seen if event.type == "response.output_text.delta") == "one two three"
    assert streamed.output_text == "one two three" and streamed.usage.total_tokens == 13
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    items: Any = [*HELLO]
    with client.responses.stream(model=model, input=items, tools=TOOLS) as stream:
        called: Any = stream.get_final_response()
    [call] = called.output
    assert (call.type, call.name, json.loads(call.arguments).keys()) == ("function_call", "one", {"x"})
    items += [one.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for one in called.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "42"})
    assert client.responses.create(model=model, input=items, tools=TOOLS).output_text == "Done."
    assert call.call_id.encode() in upstream.received[-1].body and b"42" in upstream.received[-1].body
    assert not any(closed.estimated for closed in gateway.journal.closed) and len(gateway.journal.closed) == 4


@pytest.mark.parametrize("model", ["native", "chat-small"])
def test_parsed_answers(client: openai.OpenAI, upstream: FakeUpstream, model: str) -> None:
    upstream.script(Plan(text='{"words": "hi"}', chunks=1))
    answer = client.responses.parse(model=model, input="Hi", text_format=Greeting)
    assert answer.output_parsed == Greeting(words="hi")
    sent = upstream.received[0].json()
    shape = sent["text"]["format"] if model == "native" else sent["response_format"]["json_schema"]
    assert (shape["name"], shape["strict"], list(shape["schema"]["properties"])) == ("Greeting", True, ["words"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("plan", [Plan(chunks=9, error_inside=True), Plan(chunks=9, cut=7), Plan(chunks=9, end=7)])
def test_a_stream_that_breaks_ends_with_a_failure_and_is_estimated(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream, model: str, plan: Plan
) -> None:
    upstream.script(plan)
    *_, last = client.responses.create(model=model, input="Hi", stream=True)
    assert last.type == "response.failed" and last.response.status == "failed"
    assert last.response.error is not None and last.response.error.message
    closed = until(lambda: gateway.journal.closed)[0]
    assert closed.estimated and closed.cost_nano_usd > 0


def test_a_failure_under_status_200_is_an_error(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.script(Plan(error_inside=True))
    with pytest.raises(openai.InternalServerError, match="failed inside"):
        client.responses.create(model="native", input="Hi")


def test_completions_pass_and_are_charged(client: openai.OpenAI, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    upstream.script(*[Plan(text="one two", prompt_tokens=5, completion_tokens=2)] * 2)
    answer = client.completions.create(model="base", prompt=["a", "b"], n=2)
    assert answer.choices[0].text == "one two"
    chunks = list(client.completions.create(model="base", prompt=[1, 2, 3], max_tokens=9, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two "
    first, second = (received.json() for received in upstream.received)
    assert upstream.received[0].target == "/v1/completions"
    assert (first["max_tokens"], second["max_tokens"]) == (16, 9)
    assert [opened.bound_output_tokens for opened in gateway.journal.opened] == [16 * 4, 9]
    assert [closed.cost_nano_usd for closed in gateway.journal.closed] == [5 * 150 + 2 * 600] * 2
    refused = gateway.client.post("/v1/completions", json={"model": "base", "prompt": "a", "best_of": 3})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "best_of")
