"""What the fake upstream says: OpenAI's wire format, chat completions and embeddings."""

import base64
import json
import struct
import time
from dataclasses import dataclass
from typing import Any

from tests.upstream.plan import Plan

PIECE = 1 << 16


@dataclass(frozen=True)
class Answer:
    """An answer before it is framed: a body, or the pieces of a stream with the words that each carries."""

    id: str
    prompt_tokens: int
    completion_tokens: int
    body: bytes = b""
    events: tuple[bytes, ...] = ()  # complete SSE events
    tail: tuple[bytes, ...] = ()  # what ends the stream: finish, usage, [DONE]
    refusal: bytes = b""  # the body of an error; empty: as OpenAI words it
    stream_type: str = "text/event-stream; charset=utf-8"


def error_body(status: int, message: str = "") -> bytes:
    """Return an error as OpenAI words it."""
    kinds = {400: "invalid_request_error", 401: "invalid_request_error", 429: "rate_limit_exceeded"}
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    said = message or f"The fake upstream was told to answer {status}."
    kind = kinds.get(status, "server_error")
    return json.dumps({"error": {"message": said, "type": kind, "param": None, "code": codes.get(status)}}).encode()


def chat(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer a chat completion, streamed or whole."""
    words = words_of(plan)
    usage = _usage(request, len(words) * int(request.get("n") or 1), plan)
    common = {"id": f"chatcmpl-fake-{number}", "created": int(time.time()), "model": request.get("model", "")}
    counts = {"prompt_tokens": usage["prompt_tokens"], "completion_tokens": usage["completion_tokens"]}
    if request.get("stream"):
        events, tail = _stream(request, plan, words, common, usage)
        return Answer(common["id"], **counts, events=events, tail=tail)
    if plan.error_inside:
        body = error_body(500, "The fake upstream failed inside a 200.")
    else:
        body = json.dumps(
            {
                **common,
                "object": "chat.completion",
                "choices": [_choice(index, request, plan, words) for index in range(int(request.get("n") or 1))],
                "system_fingerprint": "fp_fake",
                **({} if plan.usage == "none" else {"usage": usage}),
            }
        ).encode()
    return Answer(common["id"], **counts, body=body[:-2] if plan.malformed else body)


def embeddings(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with vectors that depend on position only."""
    given = request.get("input")
    items = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    size = int(request.get("dimensions") or 8)
    data = []
    for index in range(len(items)):
        vector: list[float] | str = [1.0 if position == index % size else 0.0 for position in range(size)]
        if request.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    counted = _usage(request, 0, plan)
    tokens = counted["prompt_tokens"]
    usage = {"prompt_tokens": tokens, "total_tokens": counted["total_tokens"]}
    body = {"object": "list", "data": data, "model": request.get("model", ""), "usage": usage}
    if plan.usage == "none":
        del body["usage"]
    return Answer(f"embd-fake-{number}", tokens, 0, body=json.dumps(body).encode())


def words_of(plan: Plan) -> list[str]:
    """Return the words that a plan asks for."""
    if plan.huge:
        return ["x" * min(PIECE, plan.huge - done) for done in range(0, plan.huge, PIECE)]
    if plan.text:
        return plan.text.split(" ") if plan.chunks != 1 else [plan.text]
    return [f"word{index}" for index in range(plan.chunks)]


def _prompt_tokens(request: dict[str, Any]) -> int:
    return 3 + len(json.dumps(request.get("messages") or request.get("input") or "").split())


def _usage(request: dict[str, Any], completion: int, plan: Plan) -> dict[str, Any]:
    prompt = _prompt_tokens(request) if plan.prompt_tokens < 0 else plan.prompt_tokens
    completion = completion if plan.completion_tokens < 0 else plan.completion_tokens
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**counted, "prompt_tokens_details": {"cached_tokens": 0}, **(plan.tokens or {})}


def _tool_call(request: dict[str, Any], number: int) -> dict[str, Any]:
    function = request["tools"][0]["function"]["name"]
    return {"id": f"call_{number}", "type": "function", "function": {"name": function, "arguments": '{"x": 1}'}}


def _choice(index: int, request: dict[str, Any], plan: Plan, words: list[str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": " ".join(words), "refusal": None}
    if plan.tool:
        message |= {"content": None, "tool_calls": [_tool_call(request, index)]}
    finish = "tool_calls" if plan.tool else "stop"
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _stream(
    request: dict[str, Any], plan: Plan, words: list[str], common: dict[str, Any], usage: dict[str, Any]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    asked = bool((request.get("stream_options") or {}).get("include_usage")) and plan.usage != "none"
    choices = range(int(request.get("n") or 1))

    def event(*parts: dict[str, Any], **extra: Any) -> bytes:
        chunk = {**common, "object": "chat.completion.chunk", "choices": list(parts), **extra}
        if asked:
            chunk.setdefault("usage", None)
        return _sse(json.dumps(chunk))

    def delta(index: int, content: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {"index": index, "delta": content, "logprobs": None, "finish_reason": finish}

    events = [event(delta(index, {"role": "assistant", "content": ""})) for index in choices]
    if plan.tool:
        call = {"index": 0, **_tool_call(request, 0)}
        events.append(event(delta(0, {"tool_calls": [call]})))
    else:
        spaced = [word if index == 0 else " " + word for index, word in enumerate(words)]
        events += [event(delta(index, {"content": word})) for word in spaced for index in choices]
    if plan.error_inside:
        return tuple(events), (_sse(error_body(500, "The fake upstream failed inside a stream.").decode()),)
    if plan.malformed:
        return tuple(events), (b"data: {not json\n\n",)
    tail = [event(delta(index, {}, "tool_calls" if plan.tool else "stop")) for index in choices]
    if asked:
        tail.append(event(usage=usage))
    return tuple(events), (*tail, _sse("[DONE]"))


def _sse(data: str) -> bytes:
    return f"data: {data}\n\n".encode()
