"""Cohere's chat, as docs.cohere.com/v2/reference/chat has it."""

import json
from typing import Any

from tests.matrix.events import data_events
from tests.matrix.words import Ask, Call, Image, NotInFormatError, Result, Seen, Text


class Cohere:
    """See `Client`."""

    title = "Cohere chat"
    stops = {
        "end": "COMPLETE", "length": "MAX_TOKENS", "tools": "TOOL_CALL", "stop_sequence": "STOP_SEQUENCE",
        "filtered": "ERROR",
    }  # fmt: skip
    usage = (True, False, False, True, False)

    def path(self, streamed: bool) -> str:
        return "/v2/chat"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        lacks = ask.choices, ask.logprobs, ask.parallel, ask.user or None, ask.system_cached or None
        if any(one is not None for one in lacks) or ask.effort not in {"", "none"}:
            raise NotInFormatError
        if ask.choice not in {"", "none", "required"}:
            raise NotInFormatError
        body: dict[str, Any] = {"model": "m", "messages": [], "stream": streamed}
        if ask.system:
            body["messages"].append({"role": "system", "content": ask.system})
        for role, parts in ask.turns:
            body["messages"] += _user(parts) if role == "user" else [_assistant(parts)]
        if ask.tools:
            body["tools"] = [_tool(tool) for tool in ask.tools]
        if ask.choice:
            body["tool_choice"] = ask.choice.upper()
        if ask.schema is not None:
            body["response_format"] = {"type": "json_object", "json_schema": ask.schema}
        elif ask.json:
            body["response_format"] = {"type": "json_object"}
        if ask.effort == "none":
            body["thinking"] = {"type": "disabled"}
        elif ask.budget:
            body["thinking"] = {"type": "enabled", "token_budget": ask.budget}
        if ask.penalties:
            body["frequency_penalty"], body["presence_penalty"] = ask.penalties
        said = {
            "max_tokens": ask.cap, "temperature": ask.temperature, "p": ask.top_p, "k": ask.top_k, "seed": ask.seed,
            "stop_sequences": ask.stop or None,
        }  # fmt: skip
        return body | {name: value for name, value in said.items() if value is not None}

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["messages"].append(answer["message"])
        body["messages"] += [{"role": "tool", "tool_call_id": one.id, "content": one.text} for one in results]

    def assembled(self, data: bytes) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
        whole: dict[str, Any] = {"message": message}
        for event in data_events(data):
            said = event.get("delta", {}).get("message", {})
            match event["type"]:
                case "message-start":
                    whole["id"] = event["id"]
                case "content-start":
                    assert event["index"] == len(message["content"])
                    message["content"].append(dict(said["content"]))
                case "content-delta":
                    ((kind, text),) = said["content"].items()
                    message["content"][event["index"]][kind] += text
                case "tool-plan-delta":
                    message["tool_plan"] += said["tool_plan"]
                case "tool-call-start":
                    assert event["index"] == len(message["tool_calls"])
                    message["tool_calls"].append(said["tool_calls"])
                case "tool-call-delta":
                    function = message["tool_calls"][event["index"]]["function"]
                    function["arguments"] += said["tool_calls"]["function"]["arguments"]
                case "message-end":
                    whole |= event["delta"]
        for name in ("tool_plan", "tool_calls"):
            if not message[name]:
                del message[name]
        return whole

    def checked(self, body: bytes) -> dict[str, Any]:
        return dict(json.loads(body))

    def seen(self, answer: dict[str, Any]) -> Seen:
        message, billed = answer["message"], answer["usage"]["billed_units"]
        seen = Seen(message.get("tool_plan", ""), stop=answer["finish_reason"])
        for block in message.get("content") or ():
            seen.text += block.get("text", "")
            seen.thought += block.get("thinking", "")
        for call in message.get("tool_calls", ()):
            function = call["function"]
            seen.calls.append((call["id"], function["name"], json.loads(function["arguments"])))
        seen.usage = (billed["input_tokens"], 0, 0, billed["output_tokens"], 0)
        return seen

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["id"], body["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *events, last = data_events(data)
        assert last["type"] == "message-end" and last["delta"]["finish_reason"] == "ERROR"
        deltas = [event["delta"]["message"]["content"] for event in events if event["type"] == "content-delta"]
        return "".join(delta.get("text", "") for delta in deltas), last["delta"]["error"]


def _tool(tool: Any) -> dict[str, Any]:
    if tool.cached:
        raise NotInFormatError
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}


def _user(parts: list[Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text, False):
                content.append({"type": "text", "text": text})
            case Image(media_type, data, url):
                url = url or f"data:{media_type};base64,{data}"
                content.append({"type": "image_url", "image_url": {"url": url}})
            case Result(id, _, text, False, ""):
                results.append({"role": "tool", "tool_call_id": id, "content": text})
            case _:
                raise NotInFormatError
    return [*results, {"role": "user", "content": content}] if content else results


def _assistant(parts: list[Any]) -> dict[str, Any]:
    text = "".join(part.text for part in parts if isinstance(part, Text))
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
        for c in parts
        if isinstance(c, Call)
    ]
    if not calls:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "tool_calls": calls} | ({"tool_plan": text} if text else {})
