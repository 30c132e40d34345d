"""InvokeModel by its official clients, boto3 and Anthropic's for Bedrock: to Claude on Bedrock, to Anthropic, to OpenAI."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import pytest
from anthropic import AnthropicBedrock
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import EventStreamError

from tests.factories import gateway as make
from tests.gateway.conftest import StartGateway
from tests.gateway.live import HELLO, LiveGateway
from tests.upstream import FakeUpstream, Plan

KEYS = json.dumps({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "hush-hush-hush-hush"})
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": HELLO}
TOOLS: Any = [{"name": "add", "input_schema": {"type": "object"}}]
WORDS = "word0 word1 word2 word3 word4"
MODELS = ["claude", "at-anthropic", "at-openai", "nova"]


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: FakeUpstream) -> LiveGateway:
    """A gateway with models at providers of three dialects, and embeddings at Bedrock."""
    amazon = {
        "dialect": "bedrock", "credential": KEYS, "options": {"region": "eu-central-1"},
        "base_url": upstream.url.removesuffix("/v1"),
    }  # fmt: skip

    def at(name: str, **changes: Any) -> Any:
        return make.deployment(**{"base_url": upstream.url, "id": f"dep_{name}", **changes})

    embeds = {"capabilities": frozenset({"embeddings"}), "max_output_tokens": 0}
    return start_gateway(
        models=[
            make.model("claude", at("c", **amazon, upstream_model="eu.anthropic.claude-sonnet-4-v1:0")),
            make.model("nova", at("n", **amazon, upstream_model="amazon.nova-lite-v1:0")),
            make.model("at-anthropic", at("a", dialect="anthropic")),
            make.model("at-openai", at("o")),
            make.model("titan", at("t", **amazon, upstream_model="amazon.titan-embed-text-v2:0"), **embeds),
            make.model("embed", at("e", **amazon, upstream_model="cohere.embed-v4:0"), **embeds),
        ]
    )


@pytest.fixture
def client(gateway: LiveGateway) -> Iterator[AnthropicBedrock]:
    """Anthropic's client for Bedrock, set up as our documentation says."""
    with AnthropicBedrock(
        base_url=gateway.url, api_key=gateway.secret, aws_region="eu-central-1", max_retries=0
    ) as found:
        yield found


@pytest.fixture
def boto(gateway: LiveGateway) -> Iterator[Any]:
    """boto3's client; it sends AWS_BEARER_TOKEN_BEDROCK over HTTPS alone, so its own header is added by one of its events."""
    config = Config(retries={"max_attempts": 0}, signature_version=UNSIGNED)
    client = boto3.client("bedrock-runtime", region_name="eu-central-1", endpoint_url=gateway.url, config=config)

    def add_key(request: AWSRequest, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {gateway.secret}"

    client.meta.events.register("request-created.bedrock-runtime", add_key)
    yield client
    client.close()


def test_anthropics_client_reaches_every_model(
    client: AnthropicBedrock, gateway: LiveGateway, upstream: FakeUpstream
) -> None:
    for model in MODELS:
        said = client.messages.create(model=model, max_tokens=50, messages=HELLO)  # type: ignore[arg-type]
        assert said.content[0].text == WORDS and said.stop_reason == "end_turn"  # type: ignore[union-attr]
        upstream.script(Plan(tool=True, prompt_tokens=10, completion_tokens=7))
        with client.messages.stream(model=model, max_tokens=50, messages=HELLO, tools=TOOLS) as stream:  # type: ignore[arg-type]
            final = stream.get_final_message()
        assert final.content[-1].input == {"x": 1 if model in ("at-openai", "nova") else 0}  # type: ignore[union-attr]
        closed = gateway.journal.closed[-1]
        assert (
            (closed.input_tokens, closed.output_tokens)
            == (final.usage.input_tokens, final.usage.output_tokens)
            == (10, 7)
        )
        assert (closed.cost_nano_usd, closed.estimated) == (10 * 150 + 7 * 600, False)
        assert gateway.journal.opened[-1].endpoint == "bedrock.invoke_stream"
    native = upstream.received[0]
    assert native.target.endswith("/invoke") and "anthropic_version" in native.json()
    assert (native.header("authorization") or "").startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


def test_failures(client: AnthropicBedrock, boto: Any, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    with pytest.raises(anthropic.NotFoundError, match="no model"):
        client.messages.create(model="unknown", max_tokens=5, messages=HELLO)  # type: ignore[arg-type]
    with pytest.raises(boto.exceptions.ValidationException, match="Served here are bodies of Anthropic's"):
        boto.invoke_model(modelId="claude", body=json.dumps({"prompt": "Hi", "max_gen_len": 5}))
    with pytest.raises(boto.exceptions.ValidationException, match="guardrail"):
        boto.invoke_model(modelId="claude", body=json.dumps(BODY), guardrailIdentifier="abc", guardrailVersion="1")
    assert not upstream.received and not gateway.journal.opened
    upstream.script(Plan(error_inside=True), Plan(cut=4))
    for model, kind in (("claude", "throttlingException"), ("at-openai", "modelStreamErrorException")):
        answer = boto.invoke_model_with_response_stream(modelId=model, body=json.dumps(BODY))
        with pytest.raises(EventStreamError, match=kind):
            list(answer["body"])
        answer["body"].close()
        assert gateway.journal.closed[-1].estimated and gateway.journal.closed[-1].output_tokens > 0


def test_boto(boto: Any, gateway: LiveGateway, upstream: FakeUpstream) -> None:
    whole = json.loads(boto.invoke_model(modelId="claude", body=json.dumps(BODY))["body"].read())
    assert whole["content"] == [{"type": "text", "text": WORDS}]
    answer = boto.invoke_model_with_response_stream(modelId="claude", body=json.dumps(BODY))
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    answer["body"].close()
    assert [one["delta"]["text"] for one in events if one["type"] == "content_block_delta"] == [
        "word0", " word1", " word2", " word3", " word4",
    ]  # fmt: skip
    made = json.loads(
        boto.invoke_model(modelId="titan", body=json.dumps({"inputText": "one two three"}))["body"].read()
    )
    assert made == {"embedding": [0.5, -0.25, 0.0], "inputTextTokenCount": 3}
    closed = gateway.journal.closed[-1]
    assert (closed.input_tokens, closed.cost_nano_usd, closed.estimated) == (3, 3 * 150, False)
    assert gateway.journal.opened[-1].endpoint == "bedrock.invoke_embed"
    sent = {"texts": ["one", "two"], "input_type": "search_query"}
    upstream.script(Plan(headers={"x-amzn-bedrock-input-token-count": "9"}))
    for tokens, estimated in ((9, False), (2, True)):
        boto.invoke_model(modelId="embed", body=json.dumps(sent))["body"].read()
        closed = gateway.journal.closed[-1]
        assert (closed.input_tokens, closed.estimated) == (tokens, estimated), (
            "Cohere's body does not tell, Amazon's head may"
        )
    assert upstream.received[-1].json() == sent
    with pytest.raises(boto.exceptions.AccessDeniedException, match="cannot be called"):
        boto.invoke_model(modelId="claude", body=json.dumps({"inputText": "Hi"}))
    openai = gateway.openai()
    assert openai.embeddings.create(model="titan", input="one two").usage.prompt_tokens == 2
    assert len(openai.embeddings.create(model="embed", input=["one", "two"]).data) == 2
