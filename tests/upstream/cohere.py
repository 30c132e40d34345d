"""What the fake upstream says as Cohere: /v2/chat and /v2/embed, after the types of its SDK (cohere 7.3.1)."""

import json
from typing import Any

from tests.upstream.answers import Answer, words_of
from tests.upstream.plan import Plan

AROUND = 495  # tokens that Cohere writes around a prompt, and does not bill


def chat(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer a chat, streamed or whole: text, or a plan and a call of every tool."""
    words = words_of(plan)
    usage = _usage(request.get("messages"), len(words), plan)
    counts: dict[str, Any] = {
        "prompt_tokens": usage["billed_units"]["input_tokens"],
        "completion_tokens": usage["billed_units"]["output_tokens"],
        "refusal": _error(plan),
    }
    calls: list[dict[str, Any]] = [
        {"id": f"call_{index}", "type": "function", "function": {"name": tool["function"]["name"], "arguments": '{"x": 1}'}}
        for index, tool in enumerate(request.get("tools", []) if plan.tool else [])
    ]  # fmt: skip
    reason, said = "TOOL_CALL" if calls else "COMPLETE", {} if plan.usage == "none" else {"usage": usage}
    if not request.get("stream"):
        content = [] if calls else [{"type": "text", "text": " ".join(words)}]
        planned = {"tool_plan": " ".join(words), "tool_calls": calls} if calls else {}
        message = {"role": "assistant", "content": content, **planned}
        body = {"id": f"chat-{number}", "message": message, "finish_reason": reason, **said}
        return Answer(f"chat-{number}", **counts, body=json.dumps(body).encode())
    events = [_event("message-start", id=f"chat-{number}", delta={"message": {"role": "assistant"}})]
    spaced = [word if index == 0 else " " + word for index, word in enumerate(words)]
    if calls:
        events += [_event("tool-plan-delta", delta={"message": {"tool_plan": word}}) for word in spaced]
    else:
        events.append(_event("content-start", index=0, delta=_content(type="text", text="")))
        events += [_event("content-delta", index=0, delta=_content(text=word)) for word in spaced]
        events.append(_event("content-end", index=0))
    for index, call in enumerate(calls):
        begun = call | {"function": call["function"] | {"arguments": ""}}
        events.append(_event("tool-call-start", index=index, delta={"message": {"tool_calls": begun}}))
        more = {"message": {"tool_calls": {"function": {"arguments": call["function"]["arguments"]}}}}
        events += [_event("tool-call-delta", index=index, delta=more), _event("tool-call-end", index=index)]
    end = _event("message-end", delta={"finish_reason": reason, **said})
    if plan.error_inside:
        end = _event("message-end", delta={"finish_reason": "ERROR", "error": "The model failed."})
    return Answer(f"chat-{number}", **counts, events=tuple(events), tail=(end,))


def embed(number: int, request: dict[str, Any], plan: Plan) -> Answer:
    """Answer with vectors of four numbers."""
    usage = _usage(request["texts"], 0, plan)
    vectors = [[0.5, -0.25, 1.0, float(index)] for index, _ in enumerate(request["texts"])]
    meta = {"api_version": {"version": "2"}, **({} if plan.usage == "none" else usage)}
    body = {"id": f"embed-{number}", "embeddings": {"float": vectors}, "texts": request["texts"], "meta": meta}
    tokens = usage["billed_units"]["input_tokens"]
    return Answer(f"embed-{number}", tokens, 0, body=json.dumps(body).encode(), refusal=_error(plan))


MAKERS = {"/v2/chat": chat, "/v2/embed": embed}


def _usage(prompt: object, completion: int, plan: Plan) -> dict[str, Any]:
    into = 3 + len(json.dumps(prompt).split()) if plan.prompt_tokens < 0 else plan.prompt_tokens
    out = completion if plan.completion_tokens < 0 else plan.completion_tokens
    return {
        "billed_units": {"input_tokens": into, "output_tokens": out},
        "tokens": {"input_tokens": into + AROUND, "output_tokens": out},
        "cached_tokens": AROUND,
        **(plan.tokens or {}),
    }


def _content(**fields: str) -> dict[str, Any]:
    return {"message": {"content": fields}}


def _error(plan: Plan) -> bytes:
    return json.dumps({"id": "x", "message": f"The fake upstream was told to answer {plan.status}."}).encode()


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
