"""What the fake upstream says to InvokeModel: Claude's messages, streamed in frames, and embeddings of Titan and Cohere."""

import base64
import json
from typing import Any

from tests.upstream import anthropic, bedrock
from tests.upstream.answers import Answer
from tests.upstream.plan import Plan


def invoke(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer whole."""
    if "messages" in request:
        return anthropic.messages(number, {"model": "claude", **request}, plan)
    texts = request.get("texts") or [request["inputText"]]
    prompt = plan.prompt_tokens if plan.prompt_tokens >= 0 else sum(len(text.split()) for text in texts)
    vectors = [[0.5, -0.25, float(index)] for index, _ in enumerate(texts)]
    body: dict[str, Any] = {"embedding": vectors[0], "inputTextTokenCount": prompt}
    if "texts" in request:
        body = {"id": "e", "response_type": "embeddings_by_type", "embeddings": {"float": vectors}, "texts": texts}
    return Answer(f"invoke-{number}", prompt, 0, json.dumps(body).encode())


def invoke_stream(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with a message in frames; the last event has Amazon's metrics, the numbers of the message's usage."""
    told = anthropic.messages(number, {"model": "claude", **request, "stream": True}, plan)
    tail = tuple(framed(event) for event in told.tail)
    if plan.error_inside:
        tail = (bedrock.exception("throttlingException", "Too many tokens, please wait before trying again."),)
    elif plan.malformed:
        tail = (tail[0][:-1] + b"\x00",)
    return Answer(
        told.id, told.prompt_tokens, told.completion_tokens, events=tuple(framed(event) for event in told.events),
        tail=tail, stream_type=bedrock.STREAM, refusal=told.refusal,
    )  # fmt: skip


def framed(event: bytes) -> bytes:
    """Return the frame of an event of Anthropic's."""
    data = event.partition(b"data: ")[2].strip()
    if b'"message_stop"' in data:
        metrics = {"inputTokenCount": 7, "outputTokenCount": 5, "invocationLatency": 9, "firstByteLatency": 3}
        data = json.dumps({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}).encode()
    return bedrock.event("chunk", {"bytes": base64.b64encode(data).decode(), "p": "abc"})


MAKERS = {"/invoke": invoke, "/invoke-with-response-stream": invoke_stream}
