"""Writes a conversation as a Converse request.

Left out, as it changes nothing of the answer: the end user's id, an image's detail, earlier thought that nobody signed.
"""

import base64
import re
from typing import Any

import msgspec

from gateway.dialects.anthropic.schema import closed
from gateway.dialects.bedrock.formats import DOCUMENT_FORMATS, IMAGE_FORMATS, SIGNERS
from gateway.dialects.bedrock.models import extra_fields, is_claude, output_effort
from gateway.dialects.canonical import (
    Format,
    Media,
    Message,
    Part,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    cannot,
)

WHO = "Amazon Bedrock"
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_.:-]")
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")


def write_request(asked: Request, upstream_model: str, cap: int) -> bytes:
    """Return the body. Raises RequestError for what Converse cannot say."""
    _refuse(asked)
    most = asked.max_output_tokens or cap or None
    thoughtful = is_claude(upstream_model)
    body: dict[str, Any] = {"messages": _messages(asked.messages, thoughtful)}
    if system := _marked([({"text": part.text}, part.cache) for part in asked.system if part.text.strip()]):
        body["system"] = system
    inference = {
        "maxTokens": most,
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "stopSequences": asked.stop or None,
    }
    if said := {name: value for name, value in inference.items() if value is not None}:
        body["inferenceConfig"] = said
    if tools := _tool_config(asked):
        body["toolConfig"] = tools
    if output := _output_config(asked, upstream_model):
        body["outputConfig"] = output
    if extra := extra_fields(asked, upstream_model, most):
        body["additionalModelRequestFields"] = extra
    return msgspec.json.encode(body)


def _refuse(asked: Request) -> None:
    if asked.choices != 1:
        raise cannot("n", WHO, "it gives one answer a call. Leave n out.")
    refused = {
        "seed": asked.seed is not None,
        "frequency_penalty": bool(asked.frequency_penalty),  # 0 is what holds anyway
        "presence_penalty": bool(asked.presence_penalty),
    }
    for name, is_said in refused.items():
        if is_said:
            raise cannot(name, WHO, "Converse has no such parameter. Leave it out.")
    if asked.logprobs or asked.top_logprobs:
        raise cannot("logprobs", WHO, "Converse does not return them. Leave them out.")
    if asked.temperature is not None and asked.temperature > 1:
        raise cannot("temperature", WHO, "it ends at 1 there. Send one from 0 to 1.")
    if not asked.tools and _used_tools(asked):
        raise cannot("tools", WHO, "it takes calls of tools and their results only beside the tools. Send them, too.")
    if asked.parallel_tools is False and asked.tools:
        raise cannot("parallel_tool_calls", WHO, "Converse cannot forbid several calls at once. Leave it out.")


def _used_tools(asked: Request) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for message in asked.messages for part in message.parts)


def _messages(messages: list[Message], thoughtful: bool) -> list[dict[str, Any]]:
    """Write the turns, but for those of nothing: a turn must say something, and the roles must alternate.

    `thoughtful`: the model takes back the thought that it signed.
    """
    written: list[dict[str, Any]] = []
    for message in messages:
        parts = [part for part in message.parts if thoughtful or not isinstance(part, Thinking)]
        blocks = _marked([(block, getattr(part, "cache", 0)) for part in parts for block in _blocks(part)])
        if written and written[-1]["role"] == message.role:
            written[-1]["content"] += blocks
        elif blocks:
            written.append({"role": message.role, "content": blocks})
    return written


def _marked(blocks: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    """Return blocks, each that is worth caching followed by a mark. An hour's has a price of its own, so all last 5 min."""
    written = []
    for block, cache in blocks:
        written.append(block)
        if cache:
            written.append({"cachePoint": {"type": "default"}})
    return written


def _blocks(part: Part) -> list[dict[str, Any]]:
    """Return the block of a part; none for what says nothing here. A text of blanks alone is refused there."""
    if isinstance(part, Text):
        return [{"text": part.text}] if part.text.strip() else []
    if isinstance(part, Media):
        return [_media(part)]
    if isinstance(part, ToolCall):
        return [{"toolUse": {"toolUseId": _id(part.id), "name": part.name, "input": _arguments(part)}}]
    if isinstance(part, ToolResult):
        content = [block for inner in part.parts for block in _blocks(inner)] or [{"text": "(nothing)"}]
        status = {"status": "error"} if part.failed else {}
        return [{"toolResult": {"toolUseId": _id(part.id), "content": content, **status}}]
    return _thought(part)


def _thought(part: Thinking) -> list[dict[str, Any]]:
    if part.by not in SIGNERS:
        return []
    if part.redacted and part.by != "anthropic":
        return [{"reasoningContent": {"redactedContent": part.redacted}}]
    if not part.signature:
        return []
    return [{"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}]


def _media(part: Media) -> dict[str, Any]:
    if part.url:
        raise cannot("messages", WHO, f"it takes no address of an {part.kind}. Send it inline, in base64.")
    if part.kind == "image":
        form = IMAGE_FORMATS.get(part.media_type)
        if form is None:
            raise cannot("messages", WHO, "images are png, jpeg, gif or webp there.")
        return {"image": {"format": form, "source": {"bytes": part.data}}}
    if part.kind == "document":
        form = "txt" if part.text else DOCUMENT_FORMATS.get(part.media_type or "application/pdf")
        if form is None:
            raise cannot("messages", WHO, "it does not take documents of this type.")
        data = base64.b64encode(part.text.encode()).decode() if part.text else part.data
        name = " ".join(_UNNAMEABLE.sub(" ", part.name).split())[:200] or "document"
        return {"document": {"format": form, "name": name, "source": {"bytes": data}}}
    raise cannot("messages", WHO, "Converse takes no sound from other formats. Send text.")


def _id(call_id: str) -> str:
    """Return the id of a call as Converse takes it (service model, "ToolUseId")."""
    return _NOT_IN_IDS.sub("_", call_id)


def _arguments(call: ToolCall) -> Any:
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise cannot("messages", WHO, "the arguments of a tool call must be a JSON object.")
    return arguments


def _tool_config(asked: Request) -> dict[str, Any]:
    if not asked.tools:
        return {}
    if asked.tool_choice == "none":
        if _used_tools(asked):
            raise cannot("tool_choice", WHO, 'it cannot forbid tools that were used before. Use "auto".')
        return {}
    config: dict[str, Any] = {"tools": _marked([(_tool(tool), tool.cache) for tool in asked.tools])}
    if asked.tool_choice == "auto":
        config["toolChoice"] = {"auto": {}}
    elif asked.tool_choice == "required":
        config["toolChoice"] = {"any": {}}
    elif asked.tool_choice == "named":
        config["toolChoice"] = {"tool": {"name": asked.tool_name}}
    return config


def _tool(tool: Tool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": tool.schema or {"type": "object", "properties": {}}}
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return {"toolSpec": spec}


def _output_config(asked: Request, upstream_model: str) -> dict[str, Any]:
    effort = output_effort(asked, upstream_model)
    config = {"effort": effort} if effort else {}
    return config | _text_format(asked.format) if asked.format is not None else config


def _text_format(form: Format) -> dict[str, Any]:
    if form.schema is None:
        raise cannot("response_format", WHO, "it can only be held to a schema. Send one.")
    wanted = {"schema": msgspec.json.encode(closed(form.schema)).decode()}
    if form.name:
        wanted["name"] = form.name
    if form.description:
        wanted["description"] = form.description
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": wanted}}}
