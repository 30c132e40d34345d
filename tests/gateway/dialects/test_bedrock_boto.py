"""Amazon's own SDK as the client: boto3's bedrock-runtime with its endpoint set to the gateway."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from tests.gateway.live import LiveGateway
from tests.upstream import FakeUpstream, Plan

MESSAGES = [{"role": "user", "content": [{"text": "Say hello."}]}]
Connect = Callable[[LiveGateway], Any]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return boto3's client, with the key as bearer.

    boto3 sends AWS_BEARER_TOKEN_BEDROCK over HTTPS alone, and nothing here speaks TLS: so its own header is added by
    one of its events.
    """

    def connected(gateway: LiveGateway, secret: str = "") -> Any:
        config = Config(retries={"max_attempts": 0}, signature_version=UNSIGNED)
        client = boto3.client("bedrock-runtime", region_name="eu-central-1", endpoint_url=gateway.url, config=config)

        def add_key(request: AWSRequest, **_: Any) -> None:
            request.headers["Authorization"] = f"Bearer {secret or gateway.secret}"

        client.meta.events.register("request-created.bedrock-runtime", add_key)
        opened.append(client)
        return client

    opened: list[Any] = []
    yield connected
    for client in opened:
        client.close()


def test_converse(gateway: LiveGateway, connect: Connect) -> None:
    answer = connect(gateway).converse(modelId="chat-small", messages=MESSAGES, inferenceConfig={"maxTokens": 50})
    assert answer["output"]["message"]["content"] == [{"text": "word0 word1 word2 word3 word4"}]
    assert answer["stopReason"] == "end_turn" and answer["usage"]["outputTokens"] == 5


def test_converse_stream(gateway: LiveGateway, connect: Connect) -> None:
    answer = connect(gateway).converse_stream(modelId="chat-small", messages=MESSAGES)
    events = list(answer["stream"])
    answer["stream"].close()
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(texts) == "word0 word1 word2 word3 word4"
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 5


def test_a_stream_that_fails(gateway: LiveGateway, upstream: FakeUpstream, connect: Connect) -> None:
    upstream.script(Plan(cut=2, chunk_delay=0.02))
    answer = connect(gateway).converse_stream(modelId="chat-small", messages=MESSAGES)
    with pytest.raises(EventStreamError, match=r"modelStreamErrorException"):
        list(answer["stream"])
    answer["stream"].close()


def test_errors(gateway: LiveGateway, connect: Connect) -> None:
    client = connect(gateway)
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=r"no model"):
        client.converse(modelId="unknown", messages=MESSAGES)
    guard = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    with pytest.raises(client.exceptions.ValidationException, match=r"guardrailConfig"):
        client.converse(modelId="chat-small", messages=MESSAGES, guardrailConfig=guard)
    with pytest.raises(ClientError) as caught:
        connect(gateway, "atp_wrong").converse(modelId="chat-small", messages=MESSAGES)
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_request_that_boto_signs_needs_a_key_all_the_same(gateway: LiveGateway) -> None:
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "hush"}
    config = Config(retries={"max_attempts": 0})
    client = boto3.client(
        "bedrock-runtime", region_name="eu-central-1", endpoint_url=gateway.url, config=config, **keys
    )
    with pytest.raises(ClientError) as caught:
        client.converse(modelId="chat-small", messages=MESSAGES)
    client.close()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert "No API key was sent" in str(caught.value)
