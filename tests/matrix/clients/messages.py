"""Anthropic's Messages, as PyPI anthropic 2.12.0 writes and reads them (anthropic/types)."""

import json
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.matrix.events import data_events
from tests.matrix.words import Ask, Call, Document, Image, NotInFormatError, Result, Seen, Text, Thought

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
CHOICES = {"auto": "auto", "none": "none", "required": "any"}
MARK = {"cache_control": {"type": "ephemeral"}}


class Messages:
    """See `Client`."""

    title = "Anthropic Messages"
    stops = {
        "end": "end_turn", "length": "max_tokens", "tools": "tool_use", "stop_sequence": "stop_sequence",
        "filtered": "refusal",
    }  # fmt: skip
    usage = (True, True, True, True, True)

    def path(self, streamed: bool) -> str:
        return "/v1/messages"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        if ask.seed is not None or ask.penalties or ask.logprobs is not None or ask.choices or ask.json:
            raise NotInFormatError
        turns = [{"role": role, "content": [_block(part) for part in parts]} for role, parts in ask.turns]
        body: dict[str, Any] = {"model": "m", "max_tokens": ask.cap or 4096, "messages": turns}
        if ask.system:
            body["system"] = [{"type": "text", "text": ask.system} | (MARK if ask.system_cached else {})]
        if ask.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
                | (MARK if tool.cached else {})
                for tool in ask.tools
            ]
        if ask.choice:
            kind = CHOICES.get(ask.choice)
            body["tool_choice"] = {"type": kind} if kind else {"type": "tool", "name": ask.choice}
        if ask.parallel is not None:
            body.setdefault("tool_choice", {"type": "auto"})["disable_parallel_tool_use"] = not ask.parallel
        config: dict[str, Any] = {}
        if ask.schema is not None:
            config["format"] = {"type": "json_schema", "schema": ask.schema}
        if ask.effort == "none":
            body["thinking"] = {"type": "disabled"}
        elif ask.effort:
            config["effort"] = ask.effort
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
        if ask.budget:
            body["thinking"] = {"type": "enabled", "budget_tokens": ask.budget}
        said = {
            "output_config": config or None, "stop_sequences": ask.stop or None, "temperature": ask.temperature,
            "top_p": ask.top_p, "top_k": ask.top_k, "metadata": {"user_id": ask.user} if ask.user else None,
        }  # fmt: skip
        body |= {name: value for name, value in said.items() if value is not None}
        return body | ({"stream": True} if streamed else {})

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["messages"].append({"role": "assistant", "content": answer["content"]})
        said = [{"type": "tool_result", "tool_use_id": one.id, "content": one.text} for one in results]
        body["messages"].append({"role": "user", "content": said})

    def assembled(self, data: bytes) -> dict[str, Any]:
        return self.grown(data_events(data))

    def grown(self, events: list[Any]) -> dict[str, Any]:
        """Return what events add up to, by the official SDK."""
        snapshot: Any = None
        pieces: dict[int, bytes] = {}  # of arguments
        for event in events:
            if event["type"] != "ping":
                snapshot = _grown(snapshot, event, pieces)
        whole: dict[str, Any] = snapshot.to_dict(mode="json")
        for block in whole["content"]:
            block.pop("parsed_output", None)
        return whole

    def checked(self, body: bytes) -> dict[str, Any]:
        Message.model_validate_json(body)
        return dict(json.loads(body))

    def seen(self, answer: dict[str, Any]) -> Seen:
        seen = Seen(stop=answer["stop_reason"])
        for block in answer["content"]:
            if block["type"] == "thinking":
                seen.thought += block["thinking"]
                seen.signature = block["signature"]
            elif block["type"] == "tool_use":
                seen.calls.append((block["id"], block["name"], block["input"]))
            else:
                seen.text += block["text"]
        usage = answer["usage"]
        read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
        thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
        seen.usage = (usage["input_tokens"] + read + written, read, written, usage["output_tokens"], thought)
        return seen

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        assert body["type"] == "error"
        return body["error"]["type"], body["error"]["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *events, last = data_events(data)
        assert last["type"] == "error"
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas), last["error"]["message"]


def _grown(snapshot: Any, event: dict[str, Any], pieces: dict[int, bytes]) -> Any:
    return accumulate_event(event=EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=pieces)


def _block(part: Any) -> dict[str, Any]:
    match part:
        case Text(text, cached):
            return {"type": "text", "text": text} | (MARK if cached else {})
        case Image(media_type, data, url):
            source = {"type": "url", "url": url} if url else _source(media_type, data)
            return {"type": "image", "source": source}
        case Document(media_type, data, name):
            return {"type": "document", "source": _source(media_type, data), "title": name}
        case Call(id, name, arguments):
            return {"type": "tool_use", "id": id, "name": name, "input": arguments}
        case Result(id, _, text, failed, image):
            said: Any = text
            if image:
                shown = {"type": "image", "source": _source("image/png", image)}
                said = [{"type": "text", "text": text}, shown]
            block = {"type": "tool_result", "tool_use_id": id, "content": said}
            return block | ({"is_error": True} if failed else {})
        case Thought(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
    raise NotInFormatError


def _source(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": data}
