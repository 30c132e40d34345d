"""Cohere's chat at a provider (docs.cohere.com/v2/reference/chat)."""

import json
from typing import Any

from gateway.dialects.lanes import Outbound
from tests.matrix.providers.openai import inline
from tests.matrix.words import Ask, Call, Image, Part, Result, Text, Tool, merged

KNOWN = {
    "model", "messages", "stream", "tools", "strict_tools", "tool_choice", "documents", "response_format", "max_tokens",
    "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "thinking",
}  # fmt: skip


class Provider:
    """See `Provider`."""

    golden = "cohere"

    def streamed(self, sent: Outbound) -> bool:
        return bool(json.loads(sent.body).get("stream"))

    def model(self, sent: Outbound) -> str:
        return str(json.loads(sent.body)["model"])

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(_event(event) for event in events)

    def midway(self, events: list[Any], error: Any) -> bytes:
        return self.stream([*events, error])

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        assert body.keys() <= KNOWN, body.keys() - KNOWN
        messages = body["messages"]
        ask = Ask(merged([_turn(one) for one in messages if one["role"] != "system"]))
        ask.system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
        for one in body.get("tools", ()):
            tool = one["function"]
            ask.tools.append(Tool(tool["name"], tool.get("description", ""), tool["parameters"]))
        ask.choice = body.get("tool_choice", "").lower()
        if ask.choice == "required" and len(ask.tools) == 1:
            ask.choice = ask.tools[0].name  # the only one offered is the one that must be called
        form = body.get("response_format", {})
        ask.json, ask.schema = bool(form), form.get("json_schema")
        thinking = body.get("thinking", {})
        ask.budget, ask.effort = thinking.get("token_budget", 0), "none" if thinking.get("type") == "disabled" else ""
        if "frequency_penalty" in body or "presence_penalty" in body:
            ask.penalties = body["frequency_penalty"], body["presence_penalty"]
        ask.cap, ask.stop, ask.seed = body.get("max_tokens"), body.get("stop_sequences", []), body.get("seed")
        ask.temperature, ask.top_p, ask.top_k = body.get("temperature"), body.get("p"), body.get("k")
        return ask


def _event(event: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event, ensure_ascii=False).encode())


def _turn(message: dict[str, Any]) -> tuple[str, list[Part]]:
    if message["role"] == "tool":
        return "user", [Result(message["tool_call_id"], "", message["content"])]
    content = message.get("content", message.get("tool_plan", ""))
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts: list[Part] = []
    for block in blocks:
        if block["type"] == "image_url":
            media_type, data = inline(block["image_url"]["url"])
            parts.append(Image(media_type, data) if data else Image("", url=block["image_url"]["url"]))
        elif block["text"]:
            parts.append(Text(block["text"]))
    for call in message.get("tool_calls", ()):
        parts.append(Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    return message["role"], parts
