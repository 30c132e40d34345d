"""Anthropic's Messages at a provider (Claude API reference, "Create a Message")."""

import json
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from gateway.dialects.lanes import Outbound
from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Thought, Tool

CHOICES = {"auto": "auto", "none": "none", "any": "required"}
PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)


class Provider:
    """See `Provider`."""

    golden = "anthropic"

    def streamed(self, sent: Outbound) -> bool:
        return bool(json.loads(sent.body).get("stream"))

    def model(self, sent: Outbound) -> str:
        return str(json.loads(sent.body)["model"])

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(_event(event) for event in events)

    def midway(self, events: list[Any], error: Any) -> bytes:
        return b"".join(_event(event) for event in [*events, error])

    def read(self, sent: Outbound) -> Ask:
        assert sent.headers["anthropic-version"] == "2023-06-01"
        return self.asked(json.loads(sent.body))

    def asked(self, body: dict[str, Any]) -> Ask:
        """Read a body."""
        body.pop("stream", None)
        PARAMS.validate_python(body)
        roles = [turn["role"] for turn in body["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2), "roles alternate"
        ask = Ask([(turn["role"], _parts(turn["content"])) for turn in body["messages"]])
        system = body.get("system", "")
        blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
        ask.system = "\n\n".join(block["text"] for block in blocks)
        ask.system_cached = any("cache_control" in block for block in blocks)
        for tool in body.get("tools", ()):
            cached = "cache_control" in tool
            ask.tools.append(Tool(tool["name"], tool.get("description", ""), tool["input_schema"], cached))
        choice = body.get("tool_choice") or {}
        ask.choice = choice["name"] if choice.get("type") == "tool" else CHOICES[choice["type"]] if choice else ""
        if "disable_parallel_tool_use" in choice:
            ask.parallel = not choice["disable_parallel_tool_use"]
        config = body.get("output_config") or {}
        ask.schema = (config.get("format") or {}).get("schema")
        ask.json = ask.schema is not None
        thinking = body.get("thinking") or {}
        ask.budget = thinking.get("budget_tokens", 0)
        ask.effort = "none" if thinking.get("type") == "disabled" else config.get("effort", "")
        assert not ask.budget or body["max_tokens"] > ask.budget, "thought leaves room for an answer"
        ask.cap, ask.stop = body["max_tokens"], body.get("stop_sequences", [])
        ask.temperature, ask.top_p, ask.top_k = body.get("temperature"), body.get("top_p"), body.get("top_k")
        ask.user = (body.get("metadata") or {}).get("user_id", "")
        return ask


def _event(event: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event, ensure_ascii=False).encode())


def _parts(content: Any) -> list[Part]:
    return [Text(content)] if isinstance(content, str) else [_part(block) for block in content]


def _part(block: dict[str, Any]) -> Part:
    match block["type"]:
        case "text":
            return Text(block["text"], "cache_control" in block)
        case "image":
            source = block["source"]
            return Image("", url=source["url"]) if "url" in source else Image(source["media_type"], source["data"])
        case "document":
            return Document(block["source"]["media_type"], block["source"]["data"], block.get("title", ""))
        case "tool_use":
            return Call(block["id"], block["name"], block["input"])
        case "tool_result":
            said = _parts(block["content"])
            text = "".join(part.text for part in said if isinstance(part, Text))
            image = "".join(part.data for part in said if isinstance(part, Image))
            return Result(block["tool_use_id"], "", text, block.get("is_error", False), image)
        case "thinking":
            return Thought(block["thinking"], block["signature"])
    raise AssertionError(block)
