"""OpenAI's chat completions at a provider (OpenAI API reference, "Create chat completion")."""

import json
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from gateway.dialects.lanes import Outbound
from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Tool, merged

KNOWN = {*CompletionCreateParamsNonStreaming.__annotations__, "stream", "stream_options", "messages", "model"}


class Provider:
    """See `Provider`."""

    golden = "chat"

    def streamed(self, sent: Outbound) -> bool:
        body = json.loads(sent.body)
        streamed = bool(body.get("stream"))
        assert not streamed or body["stream_options"]["include_usage"], "usage is asked for"
        return streamed

    def model(self, sent: Outbound) -> str:
        return str(json.loads(sent.body)["model"])

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(_event(event) for event in events) + b"data: [DONE]\n\n"

    def midway(self, events: list[Any], error: Any) -> bytes:
        return b"".join(_event(event) for event in [*events, error])

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        assert body.keys() <= KNOWN, body.keys() - KNOWN
        messages = body["messages"]
        first = [one for one in messages if one["role"] in {"system", "developer"}]
        assert messages[: len(first)] == first, "what the system says comes first"
        ask = Ask(merged([_turn(one) for one in messages[len(first) :]]))
        ask.system = "\n\n".join(_words(one["content"]) for one in first)
        for one in body.get("tools", ()):
            tool = one["function"]
            ask.tools.append(Tool(tool["name"], tool.get("description", ""), tool["parameters"]))
        choice = body.get("tool_choice", "")
        ask.choice = choice if isinstance(choice, str) else choice["function"]["name"]
        form = body.get("response_format") or {}
        ask.json = bool(form)
        ask.schema = form["json_schema"]["schema"] if form.get("type") == "json_schema" else None
        if body.get("logprobs"):
            ask.logprobs = body.get("top_logprobs", 0)
        if "frequency_penalty" in body or "presence_penalty" in body:
            ask.penalties = body["frequency_penalty"], body["presence_penalty"]
        ask.parallel, ask.effort = body.get("parallel_tool_calls"), body.get("reasoning_effort", "")
        ask.cap = body.get("max_completion_tokens") or body.get("max_tokens")
        ask.temperature, ask.top_p, ask.top_k = body.get("temperature"), body.get("top_p"), body.get("top_k")
        stop = body.get("stop") or []
        ask.stop = [stop] if isinstance(stop, str) else stop
        ask.seed, ask.choices, ask.user = body.get("seed"), body.get("n"), body.get("user", "")
        return ask


def _event(event: Any) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def _words(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _turn(message: dict[str, Any]) -> tuple[str, list[Part]]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        return "user", [Result(message["tool_call_id"], "", _words(content))]
    parts: list[Part] = [Text(content)] if isinstance(content, str) else [_part(part) for part in content or ()]
    for call in message.get("tool_calls") or ():
        parts.append(Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    return role, parts


def _part(part: dict[str, Any]) -> Part:
    match part["type"]:
        case "text":
            return Text(part["text"])
        case "image_url":
            url = part["image_url"]["url"]
            media_type, data = inline(url)
            return Image(media_type, data) if data else Image("", url=url)
        case "file":
            media_type, data = inline(part["file"]["file_data"])
            return Document(media_type, data, part["file"]["filename"])
    raise AssertionError(part)


def inline(url: str) -> tuple[str, str]:
    """Return media type and data of a data URL; "" for another."""
    head, _, data = url.partition(";base64,")
    return (head.removeprefix("data:"), data) if url.startswith("data:") else ("", "")
