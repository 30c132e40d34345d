"""OpenAI's chat completions, as PyPI openai 3.52.0 writes and reads them (openai/types/chat)."""

import json
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.matrix.events import data_events
from tests.matrix.words import Ask, Call, Document, Image, NotInFormatError, Result, Seen, Text, Thought


class Chat:
    """See `Client`."""

    title = "OpenAI chat"
    stops = {
        "end": "stop", "length": "length", "tools": "tool_calls", "stop_sequence": "stop", "filtered": "content_filter",
    }  # fmt: skip
    usage = (True, True, True, True, True)

    def path(self, streamed: bool) -> str:
        return "/v1/chat/completions"

    def write(self, ask: Ask, streamed: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"model": "m", "messages": []}
        if ask.system:
            body["messages"].append({"role": "system", "content": ask.system})
        for role, parts in ask.turns:
            body["messages"] += _user(parts) if role == "user" else [_assistant(parts)]
        if ask.system_cached or ask.top_k is not None or ask.budget:
            raise NotInFormatError
        if ask.tools:
            body["tools"] = [_tool(tool) for tool in ask.tools]
        if ask.choice in {"auto", "none", "required"}:
            body["tool_choice"] = ask.choice
        elif ask.choice:
            body["tool_choice"] = {"type": "function", "function": {"name": ask.choice}}
        if ask.schema is not None:
            body["response_format"] = {
                "type": "json_schema", "json_schema": {"name": "shape", "schema": ask.schema, "strict": True},
            }  # fmt: skip
        elif ask.json:
            body["response_format"] = {"type": "json_object"}
        if ask.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": ask.logprobs}
        if ask.penalties:
            body["frequency_penalty"], body["presence_penalty"] = ask.penalties
        said = {
            "parallel_tool_calls": ask.parallel, "reasoning_effort": ask.effort or None, "stop": ask.stop or None,
            "max_completion_tokens": ask.cap, "temperature": ask.temperature, "top_p": ask.top_p, "seed": ask.seed,
            "n": ask.choices, "user": ask.user or None,
        }  # fmt: skip
        body |= {name: value for name, value in said.items() if value is not None}
        return body | ({"stream": True, "stream_options": {"include_usage": True}} if streamed else {})

    def follow(self, body: dict[str, Any], answer: dict[str, Any], results: list[Result]) -> None:
        body["messages"].append({k: v for k, v in answer["choices"][0]["message"].items() if v is not None})
        body["messages"] += [{"role": "tool", "tool_call_id": one.id, "content": one.text} for one in results]

    def assembled(self, data: bytes) -> dict[str, Any]:
        *chunks, last = data_events(data)
        assert last == "[DONE]"
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        thought = ""
        for chunk in chunks:
            state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
            for choice in chunk["choices"]:
                thought += choice["delta"].get("reasoning_content") or ""
        whole = state.current_completion_snapshot.to_dict(mode="json")
        for choice in list(whole["choices"]):
            choice["message"].pop("parsed", None)
            for call in choice["message"].get("tool_calls") or ():
                call.pop("index", None)
                call["function"].pop("parsed_arguments", None)
            if thought:
                choice["message"]["reasoning_content"] = thought
        return whole

    def checked(self, body: bytes) -> dict[str, Any]:
        ChatCompletion.model_validate_json(body, strict=True)
        return dict(json.loads(body))

    def seen(self, answer: dict[str, Any]) -> Seen:
        (choice,) = answer["choices"]
        message, usage = choice["message"], answer["usage"]
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ]
        read, made = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        counts = (
            usage["prompt_tokens"], read.get("cached_tokens", 0), read.get("cache_write_tokens", 0),
            usage["completion_tokens"], made.get("reasoning_tokens", 0),
        )  # fmt: skip
        probable = [(one["token"], one["logprob"]) for one in (choice.get("logprobs") or {}).get("content") or ()]
        thought = message.get("reasoning_content") or ""
        return Seen(message["content"] or "", thought, "", calls, choice["finish_reason"], counts, probable)

    def error(self, body: dict[str, Any]) -> tuple[str, str]:
        return body["error"]["type"], body["error"]["message"]

    def broken(self, data: bytes) -> tuple[str, str]:
        *chunks, last = data_events(data)
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas), last["error"]["message"]


def _tool(tool: Any) -> dict[str, Any]:
    if tool.cached:
        raise NotInFormatError
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
    }


def _user(parts: list[Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text, cached):
                if cached:
                    raise NotInFormatError
                content.append({"type": "text", "text": text})
            case Image(media_type, data, url):
                url = url or f"data:{media_type};base64,{data}"
                content.append({"type": "image_url", "image_url": {"url": url}})
            case Document(media_type, data, name):
                file = {"filename": name, "file_data": f"data:{media_type};base64,{data}"}
                content.append({"type": "file", "file": file})
            case Result(id, _, text, failed, image):
                if failed or image:
                    raise NotInFormatError
                results.append({"role": "tool", "tool_call_id": id, "content": text})
    if len(content) == 1 and content[0]["type"] == "text":
        return [*results, {"role": "user", "content": content[0]["text"]}]
    return [*results, {"role": "user", "content": content}] if content else results


def _assistant(parts: list[Any]) -> dict[str, Any]:
    if any(isinstance(part, Thought) for part in parts):
        raise NotInFormatError
    message: dict[str, Any] = {"role": "assistant"}
    if texts := [part.text for part in parts if isinstance(part, Text)]:
        message["content"] = "".join(texts)
    if calls := [part for part in parts if isinstance(part, Call)]:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
            for c in calls
        ]
    return message
