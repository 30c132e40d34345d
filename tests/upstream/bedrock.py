"""What the fake upstream says as Amazon Bedrock: Converse and ConverseStream, after botocore's service model."""

import json
import struct
import zlib
from typing import Any

from tests.upstream.answers import Answer, words_of
from tests.upstream.plan import Plan

STREAM = "application/vnd.amazon.eventstream"


def converse(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer a whole conversation."""
    words = words_of(plan)
    usage = _usage(request, len(words), plan)
    content: list[dict[str, Any]] = [{"text": " ".join(words)}]
    if plan.tool:
        name = request["toolConfig"]["tools"][0]["toolSpec"]["name"]
        content.append({"toolUse": {"toolUseId": f"tooluse_{number}", "name": name, "input": {"x": 1}}})
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if plan.tool else "end_turn",
        "metrics": {"latencyMs": 12},
        **({} if plan.usage == "none" else {"usage": usage}),
    }
    return Answer(f"converse-{number}", usage["inputTokens"], usage["outputTokens"], body=json.dumps(body).encode())


def converse_stream(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer a conversation in frames."""
    words = words_of(plan)
    usage = _usage(request, len(words), plan)
    events = [event("messageStart", {"role": "assistant", "p": "abcdefgh"})]
    for index, word in enumerate(words):
        text = word if index == 0 else f" {word}"
        events.append(event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}))
    tail = [event("contentBlockStop", {"contentBlockIndex": 0})]
    if plan.tool:
        name = request["toolConfig"]["tools"][0]["toolSpec"]["name"]
        start = {"toolUse": {"toolUseId": f"tooluse_{number}", "name": name}}
        tail.append(event("contentBlockStart", {"contentBlockIndex": 1, "start": start}))
        for piece in ('{"x"', ": 1}"):
            tail.append(event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}}))
        tail.append(event("contentBlockStop", {"contentBlockIndex": 1}))
    tail.append(event("messageStop", {"stopReason": "tool_use" if plan.tool else "end_turn"}))
    if plan.error_inside:
        tail = [exception("throttlingException", "Too many tokens, please wait before trying again.")]
    elif plan.malformed:
        tail = [tail[0][:-1] + b"\x00"]
    elif plan.usage != "none":
        tail.append(event("metadata", {"usage": usage, "metrics": {"latencyMs": 12}}))
    return Answer(
        f"converse-{number}", usage["inputTokens"], usage["outputTokens"], events=tuple(events), tail=tuple(tail),
        stream_type=STREAM,
    )  # fmt: skip


def event(name: str, payload: dict[str, Any]) -> bytes:
    """Return an event's frame."""
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(name: str, message: str) -> bytes:
    """Return an exception's frame."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, {"message": message})


def frame(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    """Frame a message (Amazon Transcribe Developer Guide, "Event stream encoding")."""
    block = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(block) + len(body), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + body
    return message + struct.pack(">I", zlib.crc32(message))


def _usage(request: dict[str, Any], completion: int, plan: Plan) -> dict[str, int]:
    prompt = 3 + len(json.dumps(request.get("messages")).split()) if plan.prompt_tokens < 0 else plan.prompt_tokens
    completion = completion if plan.completion_tokens < 0 else plan.completion_tokens
    counted = {"inputTokens": prompt, "outputTokens": completion, "totalTokens": prompt + completion}
    return {**counted, **(plan.tokens or {})}
