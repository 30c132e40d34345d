"""OpenAI's Responses at a provider that serves them: what the client sent, as it is."""

import json
from typing import Any

from gateway.dialects.lanes import Outbound
from tests.matrix.providers.openai import inline
from tests.matrix.words import Ask, Call, Document, Image, Part, Result, Text, Thought, Tool, merged


class Provider:
    """See `Provider`."""

    golden = "responses"

    def streamed(self, sent: Outbound) -> bool:
        return bool(json.loads(sent.body).get("stream"))

    def model(self, sent: Outbound) -> str:
        return str(json.loads(sent.body)["model"])

    def stream(self, events: list[Any]) -> bytes:
        return b"".join(_event(event) for event in events)

    def midway(self, events: list[Any], error: Any) -> bytes:
        return b"".join(_event(event) for event in [*events, error])

    def read(self, sent: Outbound) -> Ask:
        body = json.loads(sent.body)
        ask = Ask(merged([_turn(item) for item in body["input"]]), body.get("instructions", ""))
        for tool in body.get("tools", ()):
            ask.tools.append(Tool(tool["name"], tool["description"], tool["parameters"]))
        choice = body.get("tool_choice", "")
        ask.choice = choice if isinstance(choice, str) else choice["name"]
        form = (body.get("text") or {}).get("format") or {}
        ask.json, ask.schema = bool(form), form.get("schema")
        ask.parallel, ask.effort = body.get("parallel_tool_calls"), (body.get("reasoning") or {}).get("effort", "")
        ask.cap, ask.logprobs = body.get("max_output_tokens"), body.get("top_logprobs")
        ask.temperature, ask.top_p, ask.user = body.get("temperature"), body.get("top_p"), body.get("user", "")
        return ask


def _event(event: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event, ensure_ascii=False).encode())


def _turn(item: dict[str, Any]) -> tuple[str, list[Part]]:
    match item.get("type", "message"):
        case "message":
            return item["role"], [_part(part) for part in item["content"]]
        case "reasoning":
            text = "".join(one["text"] for one in item["summary"])
            return "assistant", [Thought(text, item.get("encrypted_content", ""))]
        case "function_call":
            return "assistant", [Call(item["call_id"], item["name"], json.loads(item["arguments"]))]
        case "function_call_output":
            said = item["output"]
            parts = [Text(said)] if isinstance(said, str) else [_part(part) for part in said]
            text = "".join(part.text for part in parts if isinstance(part, Text))
            image = "".join(part.data for part in parts if isinstance(part, Image))
            return "user", [Result(item["call_id"], "", text, image=image)]
    raise AssertionError(item)


def _part(part: dict[str, Any]) -> Part:
    match part["type"]:
        case "input_text" | "output_text":
            return Text(part["text"])
        case "input_image":
            media_type, data = inline(part["image_url"])
            return Image(media_type, data) if data else Image("", url=part["image_url"])
        case "input_file":
            media_type, data = inline(part["file_data"])
            return Document(media_type, data, part["filename"])
    raise AssertionError(part)
