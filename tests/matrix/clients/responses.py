"""OpenAI's Responses, as PyPI openai 3.52.0 writes and reads them (openai/types/responses)."""

import json
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.matrix.events import data_events
from tests.matrix.words import Ask, Call, Document, Image, NotInFormatError, Result, Seen, Text, Thought

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class Responses:
    """See `Client`."""

    title = "OpenAI Responses"
    stops = {
        "end": "completed", "length": "max_output_tokens", "tools": "completed", "stop_sequence": "completed",
        "filtered": "content_filter",
    }  # fmt: skip
    usage = (True, True, True, True, True)

    def path(self, streamed: bool) -> str:
        return "/v1/responses"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        lacks = ask.stop, ask.seed, ask.penalties, ask.choices, ask.top_k, ask.system_cached or None, ask.budget or None
        if any(one not in (None, []) for one in lacks):
            raise NotInFormatError
        body: dict[str, Any] = {"model": "m", "input": [], "store": False}
        for role, parts in ask.turns:
            body["input"] += _user(parts) if role == "user" else _assistant(parts)
        if ask.tools:
            body["tools"] = [_tool(tool) for tool in ask.tools]
        if ask.choice in {"auto", "none", "required"}:
            body["tool_choice"] = ask.choice
        elif ask.choice:
            body["tool_choice"] = {"type": "function", "name": ask.choice}
        if ask.schema is not None:
            form = {"type": "json_schema", "name": "shape", "schema": ask.schema, "strict": True}
            body["text"] = {"format": form}
        elif ask.json:
            body["text"] = {"format": {"type": "json_object"}}
        if ask.logprobs is not None:
            body |= {"top_logprobs": ask.logprobs, "include": ["message.output_text.logprobs"]}
        if ask.effort:
            body["reasoning"] = {"effort": ask.effort, "summary": "auto"}
        said = {
            "instructions": ask.system or None, "parallel_tool_calls": ask.parallel, "max_output_tokens": ask.cap,
            "temperature": ask.temperature, "top_p": ask.top_p, "user": ask.user or None,
        }  # fmt: skip
        body |= {name: value for name, value in said.items() if value is not None}
        return body | ({"stream": True} if streamed else {})

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["input"] += answer["output"]
        body["input"] += [{"type": "function_call_output", "call_id": one.id, "output": one.text} for one in results]

    def assembled(self, data: bytes) -> dict[str, Any]:
        events = data_events(data)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        for event in events:
            EVENT.validate_python(event)
        whole: dict[str, Any] = events[-1]["response"]
        told = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        assert told == self.seen(whole).text, "the deltas add up to what the last event says"
        called = [event["arguments"] for event in events if event["type"] == "response.function_call_arguments.done"]
        assert [json.loads(one) for one in called] == [call[2] for call in self.seen(whole).calls]
        return whole

    def checked(self, body: bytes) -> dict[str, Any]:
        Response.model_validate_json(body)
        return dict(json.loads(body))

    def seen(self, answer: dict[str, Any]) -> Seen:
        seen = Seen(stop=answer["status"])
        if answer["status"] == "incomplete":
            seen.stop = answer["incomplete_details"]["reason"]
        for item in answer["output"]:
            if item["type"] == "reasoning":
                seen.thought += "".join(one["text"] for one in item["summary"])
                seen.signature = item.get("encrypted_content") or ""
            elif item["type"] == "function_call":
                seen.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            else:
                for part in item["content"]:
                    seen.text += part["text"] if part["type"] == "output_text" else part["refusal"]
                    seen.logprobs += [(one["token"], one["logprob"]) for one in part.get("logprobs") or ()]
        usage = answer["usage"]
        read, made = usage["input_tokens_details"], usage["output_tokens_details"]
        seen.usage = (
            usage["input_tokens"], read["cached_tokens"], read.get("cache_write_tokens", 0), usage["output_tokens"],
            made["reasoning_tokens"],
        )  # fmt: skip
        return seen

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["error"]["type"], body["error"]["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *events, last = data_events(data)
        assert last["type"] == "response.failed"
        told = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        return told, last["response"]["error"]["message"]


def _tool(tool: Any) -> dict[str, Any]:
    if tool.cached:
        raise NotInFormatError
    return {
        "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema,
        "strict": False,
    }  # fmt: skip


def _user(parts: list[Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text, cached):
                if cached:
                    raise NotInFormatError
                content.append({"type": "input_text", "text": text})
            case Image(media_type, data, url):
                url = url or f"data:{media_type};base64,{data}"
                content.append({"type": "input_image", "image_url": url, "detail": "auto"})
            case Document(media_type, data, name):
                file = {"filename": name, "file_data": f"data:{media_type};base64,{data}"}
                content.append({"type": "input_file", **file})
            case Result(id, _, text, failed, image):
                if failed:
                    raise NotInFormatError
                said: Any = text
                if image:
                    url = f"data:image/png;base64,{image}"
                    said = [
                        {"type": "input_text", "text": text},
                        {"type": "input_image", "image_url": url, "detail": "auto"},
                    ]
                results.append({"type": "function_call_output", "call_id": id, "output": said})
    return [*results, {"role": "user", "content": content}] if content else results


def _assistant(parts: list[Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text):
                items.append({"role": "assistant", "content": [{"type": "output_text", "text": text}]})
            case Call(id, name, arguments):
                call = {"call_id": id, "name": name, "arguments": json.dumps(arguments)}
                items.append({"type": "function_call", **call})
            case Thought():
                raise NotInFormatError  # only what the gateway made of a provider's can come back; see `follow`
    return items
