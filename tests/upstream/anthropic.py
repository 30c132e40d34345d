"""What the fake upstream says in Anthropic's Messages API."""

import json
from typing import Any

from tests.upstream.answers import Answer
from tests.upstream.plan import Plan

SIGNATURE = "c2lnbmVkIGJ5IHRoZSBmYWtl"
KINDS = {400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}


def error_body(status: int, message: str = "") -> bytes:
    """Return an error as Anthropic words it."""
    said = {
        "type": KINDS.get(status, "api_error"),
        "message": message or f"The fake upstream was told to answer {status}.",
    }
    return json.dumps({"type": "error", "error": said, "request_id": "req_fake"}).encode()


def messages(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with a message, streamed or whole: thought if it is asked for, then text, or a call of every tool."""
    content = _content(request, plan)
    made = plan.completion_tokens if plan.completion_tokens >= 0 else plan.chunks
    prompt = plan.prompt_tokens if plan.prompt_tokens >= 0 else 3 + len(json.dumps(request["messages"]).split())
    usage = {"input_tokens": prompt, "output_tokens": made, **(plan.tokens or {})}
    message = {
        "id": f"msg_fake_{number}", "type": "message", "role": "assistant", "model": request.get("model"), "content": content,
        "stop_reason": "tool_use" if plan.tool else "end_turn", "stop_sequence": None,
    }  # fmt: skip
    counts: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": made, "refusal": error_body(plan.status)}
    if request.get("stream"):
        events, tail = _stream(message, usage, plan)
        return Answer(str(message["id"]), **counts, events=events, tail=tail)
    body = error_body(529) if plan.error_inside else json.dumps(message | {"usage": usage}).encode()
    return Answer(str(message["id"]), **counts, body=body)


def count_tokens(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with how long a prompt is."""
    counted = plan.prompt_tokens if plan.prompt_tokens >= 0 else 7
    return Answer(
        f"count_{number}", 0, 0, json.dumps({"input_tokens": counted}).encode(), refusal=error_body(plan.status)
    )


def _content(request: dict[str, Any], plan: Plan) -> list[dict[str, Any]]:
    thinking = (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    found: list[dict[str, Any]] = (
        [{"type": "thinking", "thinking": "Let me think.", "signature": SIGNATURE}] if thinking else []
    )
    if not plan.tool:
        return [*found, {"type": "text", "text": plan.text or " ".join(f"word{index}" for index in range(plan.chunks))}]
    calls = [
        {"type": "tool_use", "id": f"toolu_{index}", "name": tool["name"], "input": {"x": index}}
        for index, tool in enumerate(request["tools"])
    ]
    return found + calls


def _stream(message: dict[str, Any], usage: dict[str, Any], plan: Plan) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    begun = {name: value for name, value in usage.items() if name != "output_tokens_details"} | {"output_tokens": 1}
    head = message | {"content": [], "stop_reason": None, "usage": begun}
    events = [_event("message_start", message=head), _event("ping")]
    for index, block in enumerate(message["content"]):
        empty, deltas = _pieces(block)
        events.append(_event("content_block_start", index=index, content_block=empty))
        events += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(_event("content_block_stop", index=index))
    if plan.error_inside:
        return tuple(events), (b"event: error\ndata: " + error_body(529) + b"\n\n",)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    said = {name: usage[name] for name in ("output_tokens", "output_tokens_details") if name in usage}
    return tuple(events), (_event("message_delta", delta=delta, usage=said), _event("message_stop"))


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        words = block["text"].split(" ")
        spaced = [word if index == 0 else " " + word for index, word in enumerate(words)]
        return block | {"text": ""}, [{"type": "text_delta", "text": word} for word in spaced]
    if block["type"] == "thinking":
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return block | {"thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            signature,
        ]
    text = json.dumps(block["input"])
    halves = ["", text[:3], text[3:]]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
