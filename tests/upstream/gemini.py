"""What the fake upstream says as Google's Gemini API: whole answers, streams of events, embeddings.

Shapes after "GenerateContentResponse" and "BatchEmbedContentsResponse" in the API reference.
"""

import json
from typing import Any

from tests.upstream.answers import Answer, words_of
from tests.upstream.plan import Plan

MODEL = "gemini-3.5-flash-001"


def generate(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer in one piece."""
    words = words_of(plan)
    usage = _usage(request, len(words), plan)
    count = int((request.get("generationConfig") or {}).get("candidateCount") or 1)
    parts = [_call(request)] if plan.tool else [{"text": " ".join(words)}]
    body: dict[str, Any] = _frame(number, [_candidate(index, parts, "STOP") for index in range(count)])
    if plan.error_inside:
        body = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    elif plan.usage != "none":
        body["usageMetadata"] = usage
    text = json.dumps(body).encode()
    return Answer(
        f"gemini-{number}", usage["promptTokenCount"], usage["candidatesTokenCount"],
        body=text[:-2] if plan.malformed else text,
    )  # fmt: skip


def stream(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer in events; each says what was used by then, and nothing follows the last."""
    words = words_of(plan)
    usage = _usage(request, len(words), plan)
    events = []
    for index, word in enumerate(words):
        chunk = _frame(number, [_candidate(0, [{"text": word if index == 0 else f" {word}"}])])
        if plan.usage != "none":
            chunk["usageMetadata"] = {"promptTokenCount": usage["promptTokenCount"], "candidatesTokenCount": index}
        events.append(_event(chunk))
    last = _frame(number, [_candidate(0, [_call(request)] if plan.tool else [{"text": ""}], "STOP")])
    if plan.usage != "none":
        last["usageMetadata"] = usage
    tail = [_event(last)]
    if plan.error_inside:
        tail = [_event({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})]
    elif plan.malformed:
        tail = [b'data: {"candidates": [{"finishReason": "STOP"\r\n\r\n']
    return Answer(
        f"gemini-{number}", usage["promptTokenCount"], usage["candidatesTokenCount"],
        events=tuple(events), tail=tuple(tail),
    )  # fmt: skip


def batch_embed(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with a vector for each request."""
    prompt = plan.prompt_tokens if plan.prompt_tokens >= 0 else len(request["requests"])
    body: dict[str, Any] = {"embeddings": [{"values": [0.5, -0.25]} for _ in request["requests"]]}
    if plan.usage != "none":
        body["usageMetadata"] = {"promptTokenCount": prompt}
    return Answer(f"gemini-{number}", prompt, 0, body=json.dumps(body).encode())


def embed(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with one vector."""
    body = {"embedding": {"values": [0.5, -0.25]}, "usageMetadata": {"promptTokenCount": 1}}
    return Answer(f"gemini-{number}", 1, 0, body=json.dumps(body).encode())


def count(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with a number of tokens."""
    return Answer(f"gemini-{number}", 0, 0, body=json.dumps({"totalTokens": 42}).encode())


MAKERS = {
    ":countTokens": count,
    ":generateContent": generate,
    ":streamGenerateContent": stream,
    ":embedContent": embed,
    ":batchEmbedContents": batch_embed,
}


def _usage(request: dict[str, Any], made: int, plan: Plan) -> dict[str, Any]:
    prompt = plan.prompt_tokens if plan.prompt_tokens >= 0 else len(json.dumps(request.get("contents")).split())
    made = plan.completion_tokens if plan.completion_tokens >= 0 else made
    extra = plan.tokens or {}
    total = prompt + made + extra.get("thoughtsTokenCount", 0)
    return {"promptTokenCount": prompt, "candidatesTokenCount": made, "totalTokenCount": total, **extra}


def _frame(number: int, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    return {"candidates": candidates, "modelVersion": MODEL, "responseId": f"resp-{number}"}


def _candidate(index: int, parts: list[dict[str, Any]], finish: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": index}
    return made | {"finishReason": finish} if finish else made


def _call(request: dict[str, Any]) -> dict[str, Any]:
    name = request["tools"][0]["functionDeclarations"][0]["name"]
    return {"functionCall": {"name": name, "args": {"city": "Oslo"}}, "thoughtSignature": "c2lnbmVk"}


def _event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\r\n\r\n".encode()
