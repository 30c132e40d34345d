"""What the fake upstream says in OpenAI's Responses API, and to plain prompts."""

import json
from typing import Any

from tests.upstream.answers import Answer, error_body, words_of
from tests.upstream.plan import Plan


def responses(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with a message, or a call of the first tool; whole or as events."""
    words = words_of(plan)
    item: dict[str, Any] = {
        "id": f"msg_fake_{number}", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": " ".join(words), "annotations": [], "logprobs": []}],
    }  # fmt: skip
    if plan.tool:
        name = request["tools"][0]["name"]
        item = {"id": f"fc_fake_{number}", "type": "function_call", "status": "completed", "call_id": "call_1"}
        item |= {"name": name, "arguments": '{"x": 1}'}
    response, usage = _response(number, request), _usage(request, len(words), plan)
    ended: dict[str, Any] = {"status": "completed", "output": [item], "usage": None if plan.usage == "none" else usage}
    counts: dict[str, Any] = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
    failed = {"status": "failed", "error": {"code": "server_error", "message": "The fake upstream failed inside."}}
    if request.get("stream"):
        begun = [("response.created", {"response": response}), ("response.in_progress", {"response": response})]
        made = _events(item, [word if index == 0 else f" {word}" for index, word in enumerate(words)])
        last = ("response.failed", response | failed) if plan.error_inside else ("response.completed", response | ended)
        events = [_sse(index, *event) for index, event in enumerate([*begun, *made, (last[0], {"response": last[1]})])]
        return Answer(response["id"], **counts, events=tuple(events[:-1]), tail=(events[-1],))
    body = json.dumps(response | (failed if plan.error_inside else ended)).encode()
    return Answer(response["id"], **counts, body=body)


def completions(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer a plain prompt."""
    words = words_of(plan)
    usage = _usage(request, len(words), plan)
    counted: dict[str, Any] = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
    common = {"id": f"cmpl-fake-{number}", "object": "text_completion", "created": 0, "model": request.get("model")}

    def choice(text: str, finish: str | None) -> dict[str, Any]:
        return {"choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}]}

    said = counted | {"total_tokens": usage["total_tokens"]}
    if request.get("stream"):
        events = [_data(common | choice(word + " ", None)) for word in words] + [_data(common | choice("", "stop"))]
        asked = (request.get("stream_options") or {}).get("include_usage")
        tail = (_data(common | {"choices": [], "usage": said}),) if asked else ()
        return Answer(str(common["id"]), **counted, events=tuple(events), tail=(*tail, b"data: [DONE]\n\n"))
    body = (
        error_body(500)
        if plan.error_inside
        else json.dumps(common | choice(" ".join(words), "stop") | {"usage": said}).encode()
    )
    return Answer(str(common["id"]), **counted, body=body)


def _response(number: int, request: dict[str, Any]) -> dict[str, Any]:
    said = {
        name: request.get(name) for name in ("instructions", "max_output_tokens", "metadata", "temperature", "top_p")
    }
    return {
        "id": f"resp_fake_{number}", "object": "response", "created_at": 1_700_000_000, "status": "in_progress",
        "error": None, "incomplete_details": None, "model": request.get("model"), "output": [], "usage": None,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": request.get("tools") or [], **said,
    }  # fmt: skip


def _usage(request: dict[str, Any], made: int, plan: Plan) -> dict[str, Any]:
    prompt = 3 + len(json.dumps(request.get("input") or request.get("prompt") or "").split())
    prompt = plan.prompt_tokens if plan.prompt_tokens >= 0 else prompt
    made = plan.completion_tokens if plan.completion_tokens >= 0 else made
    details: dict[str, Any] = {
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    return {
        "input_tokens": prompt,
        "output_tokens": made,
        "total_tokens": prompt + made,
        **details,
        **(plan.tokens or {}),
    }


def _events(item: dict[str, Any], words: list[str]) -> list[tuple[str, dict[str, Any]]]:
    place = {"output_index": 0}
    at = place | {"item_id": item["id"]}
    if item["type"] == "function_call":
        arguments = item["arguments"]
        pieces = [
            ("response.function_call_arguments.delta", at | {"delta": piece})
            for piece in (arguments[:3], arguments[3:])
        ]
        done = ("response.function_call_arguments.done", at | {"arguments": arguments, "name": item["name"]})
        begun = item | {"arguments": "", "status": "in_progress"}
        inner = [*pieces, done]
    else:
        [part], at = item["content"], at | {"content_index": 0}
        begun = item | {"content": [], "status": "in_progress"}
        inner = [
            ("response.content_part.added", at | {"part": part | {"text": ""}}),
            *(("response.output_text.delta", at | {"delta": word, "logprobs": []}) for word in words),
            ("response.output_text.done", at | {"text": part["text"], "logprobs": []}),
            ("response.content_part.done", at | {"part": part}),
        ]
    return [
        ("response.output_item.added", place | {"item": begun}),
        *inner,
        ("response.output_item.done", place | {"item": item}),
    ]


def _sse(number: int, kind: str, fields: dict[str, Any]) -> bytes:
    return f"event: {kind}\n".encode() + _data({"type": kind, "sequence_number": number, **fields})


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
