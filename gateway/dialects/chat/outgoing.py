"""Writes a request as a chat for providers that speak OpenAI's dialect.

What has no word there and changes nothing of the answer is left out: marks for caches, earlier thought, the wish to read
thought, and a wish for no thought that is said in tokens.
"""

import re
from typing import Any

import msgspec

from gateway.dialects.canonical import Format, Media, Message, Part, Request, Text, Tool, ToolCall, ToolResult, cannot
from gateway.dialects.efforts import effort_of
from gateway.dialects.profiles import profile_of
from gateway.snapshot import DeploymentPolicy

WHO = "OpenAI's chat format"
NEVER_THINKS = re.compile(
    r"(?:.*/)?(?:ft:)?(?:chatgpt-)?gpt-(?:3|4)"
)  # OpenAI's before o1 and GPT-5 refuse the parameter
AUDIO = {"audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def write_request(asked: Request, deployment: DeploymentPolicy, cap: int) -> bytes:
    """Return the body for the provider. Raises RequestError for what a chat cannot say."""
    if asked.top_k is not None:
        raise cannot("top_k", WHO, "it has no such parameter. Leave it out, or use top_p.")
    body: dict[str, Any] = {"model": asked.model, "messages": _messages(asked)}
    profile = profile_of(deployment)
    if most := asked.max_output_tokens or cap:
        body[profile.cap_name] = most
    if asked.streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if asked.choices != 1:
        body["n"] = asked.choices
    if asked.tools:
        body["tools"] = [_tool(tool) for tool in asked.tools]
        body |= _tool_choice(asked)
    if asked.format is not None:
        body["response_format"] = _format(asked.format)
    if effort := _effort(asked):
        body["reasoning_effort"] = effort
    if asked.logprobs:
        body["logprobs"] = True
    said: dict[str, Any] = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop": asked.stop or None,
        "seed": asked.seed,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
        "top_logprobs": asked.top_logprobs,
        "user": asked.user or None,
    }
    written = msgspec.json.encode(body | {name: value for name, value in said.items() if value is not None})
    return profile.fitted(written)


def _effort(asked: Request) -> str:
    """Return how long to think; "" for models that never do, whatever agents ask of every model."""
    if NEVER_THINKS.match(asked.model):
        return ""
    return (
        effort_of(asked.thinking_tokens)
        if asked.thinking_tokens
        else ""
        if asked.thinking_tokens == 0
        else asked.effort
    )


def _messages(asked: Request) -> list[dict[str, Any]]:
    if asked.messages and asked.messages[-1].role == "assistant":
        raise cannot("messages", WHO, "an answer cannot be begun for the model. Let the user's turn come last.")
    written: list[dict[str, Any]] = []
    if asked.system:
        written.append({"role": "system", "content": "\n\n".join(part.text for part in asked.system)})
    for message in asked.messages:
        written += _assistant(message) if message.role == "assistant" else _user(message)
    return written


def _assistant(message: Message) -> list[dict[str, Any]]:
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    calls = [_call(part) for part in message.parts if isinstance(part, ToolCall)]
    if any(isinstance(part, Media) for part in message.parts):
        raise cannot("messages", WHO, "the assistant's turns hold texts and calls of tools alone.")
    written: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    return [written | {"tool_calls": calls}] if calls else [written]


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}


def _user(message: Message) -> list[dict[str, Any]]:
    """Write a turn: results of tools first, as they must follow the calls; what is no text of theirs comes after all."""
    written: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            said, shown = _result(part)
            written.append({"role": "tool", "tool_call_id": part.id, "content": said})
            content += shown
    content += [_part(part) for part in message.parts if not isinstance(part, ToolResult)]
    if content:
        plain = len(content) == 1 and content[0]["type"] == "text"
        written.append({"role": "user", "content": content[0]["text"] if plain else content})
    return written


def _result(result: ToolResult) -> tuple[str, list[dict[str, Any]]]:
    """Return a result's text, and what else it holds as parts of a user's message."""
    said = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    shown = [_part(part) for part in result.parts if not isinstance(part, Text)]
    if shown:
        shown.insert(0, {"type": "text", "text": f"What the tool call {result.id} returned:"})
        said = said or "(see the next message)"
    return (f"Error: {said}" if result.failed else said), shown


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if not isinstance(part, Media):
        raise cannot("messages", WHO, "this kind of content has no counterpart in a user's turn.")
    if part.kind == "image":
        image = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
        return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}
    if part.kind == "audio":
        form = AUDIO.get(part.media_type)
        if form is None or not part.data:
            raise cannot("messages", WHO, "sound must be sent inline, as wav or mp3.")
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    if part.text:
        return {"type": "text", "text": f"{part.name}\n\n{part.text}" if part.name else part.text}
    if part.url:
        raise cannot("messages", WHO, "a document cannot be named by its address. Send the document itself.")
    name = part.name or "document.pdf"
    return {
        "type": "file",
        "file": {"filename": name, "file_data": f"data:{part.media_type or 'application/pdf'};base64,{part.data}"},
    }


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.schema:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(asked: Request) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if asked.tool_choice == "named":
        written["tool_choice"] = {"type": "function", "function": {"name": asked.tool_name}}
    elif asked.tool_choice:
        written["tool_choice"] = asked.tool_choice
    if asked.parallel_tools is not None:
        written["parallel_tool_calls"] = asked.parallel_tools
    return written


def _format(form: Format) -> dict[str, Any]:
    if form.schema is None:
        return {"type": "json_object"}
    wanted: dict[str, Any] = {"name": form.name or "answer", "schema": form.schema}
    if form.strict is not None:
        wanted["strict"] = form.strict
    if form.description:
        wanted["description"] = form.description
    return {"type": "json_schema", "json_schema": wanted}
