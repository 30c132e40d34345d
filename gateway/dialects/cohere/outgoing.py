"""Writes a request for Cohere's chat.

Left out, as no answer depends on them: marks for caches, the user, names of formats, and thought of earlier turns, which
Cohere does not sign.
"""

import base64
import binascii
import re
from typing import Any

import msgspec

from gateway.dialects.canonical import Media, Message, Part, Request, Text, Tool, ToolCall, ToolResult, cannot
from gateway.dialects.efforts import BUDGETS

WHO = "Cohere's chat API"
LEAST_P, MOST_P = 0.01, 0.99  # what `p` may be; others take 1 for no limit
# Models before "Command A Reasoning" refuse the parameter, whatever agents ask of every model ("Reasoning").
NEVER_THINKS = re.compile(
    r"(?:.*/)?(?:c4ai-|command-r|command-light|command-nightly|command-a-(?:03|vision|translate))"
)
CHOICES = {"": None, "auto": None, "none": "NONE", "required": "REQUIRED", "named": "REQUIRED"}


def write_request(asked: Request, cap: int) -> bytes:
    """Return the body for the provider. Raises RequestError for what Cohere cannot be told."""
    _refuse(asked)
    most = asked.max_output_tokens or cap or None
    apart: list[dict[str, Any]] | None = [] if asked.format is None and not asked.tools else None
    body: dict[str, Any] = {"model": asked.model, "messages": _messages(asked, apart), "stream": asked.streamed}
    if apart:
        body["documents"] = apart
    if asked.tools:
        body |= _tools(asked)
    if asked.format is not None:
        schema = {} if asked.format.schema is None else {"json_schema": asked.format.schema}
        body["response_format"] = {"type": "json_object", **schema}
    said: dict[str, Any] = {
        "max_tokens": most,
        "temperature": asked.temperature,
        "p": None if asked.top_p is None else min(max(asked.top_p, LEAST_P), MOST_P),
        "k": asked.top_k,
        "stop_sequences": asked.stop or None,
        "seed": asked.seed,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
        "thinking": _thinking(asked, most),
    }
    return msgspec.json.encode(body | {name: value for name, value in said.items() if value is not None})


def _refuse(asked: Request) -> None:
    refused = {"n": asked.choices != 1, "logprobs": asked.logprobs or asked.top_logprobs is not None}
    for name, is_said in refused.items():
        if is_said:
            raise cannot(name, WHO, "it has no such parameter. Leave it out.")
    for name, penalty in (
        ("frequency_penalty", asked.frequency_penalty),
        ("presence_penalty", asked.presence_penalty),
    ):
        if penalty is not None and not 0 <= penalty <= 1:
            raise cannot(name, WHO, "it is from 0 to 1 there.")
    if asked.messages and asked.messages[-1].role == "assistant":
        raise cannot("messages", WHO, "an answer cannot be begun for the model. Let the user's turn come last.")


def _thinking(asked: Request, most: int | None) -> dict[str, Any] | None:
    """Return how to think: models that can do so unasked. Thought is part of the output, so some is left for the answer."""
    if NEVER_THINKS.match(asked.model):
        return None
    if asked.thinking_tokens == 0 or (asked.thinking_tokens is None and asked.effort == "none"):
        return {"type": "disabled"}
    budget = asked.thinking_tokens
    if budget is None and asked.effort and asked.effort != "none":
        budget = BUDGETS[asked.effort]
    if budget is None:
        return None
    return {"type": "enabled", "token_budget": budget if most is None else max(1, min(budget, most * 3 // 4))}


def _messages(asked: Request, apart: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Write the turns. `apart` takes documents; None: they stand in their turns, as Cohere takes none beside tools or formats."""
    written: list[dict[str, Any]] = []
    if asked.system:
        written.append({"role": "system", "content": "\n\n".join(part.text for part in asked.system)})
    for message in asked.messages:
        written += _assistant(message) if message.role == "assistant" else _user(message, apart)
    return written


def _assistant(message: Message) -> list[dict[str, Any]]:
    if any(isinstance(part, Media) for part in message.parts):
        raise cannot("messages", WHO, "the assistant's turns hold texts and calls of tools alone.")
    text = "".join(part.text for part in message.parts if isinstance(part, Text))
    calls = [_call(part) for part in message.parts if isinstance(part, ToolCall)]
    if not calls:
        return [{"role": "assistant", "content": text}] if text else []
    return [{"role": "assistant", "tool_calls": calls} | ({"tool_plan": text} if text else {})]


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}


def _user(message: Message, apart: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Write a turn: results of tools first, as they must follow the calls; what is no text of theirs comes after all."""
    written: list[dict[str, Any]] = []
    others: list[Part] = []
    for part in message.parts:
        if not isinstance(part, ToolResult):
            others.append(part)
            continue
        said = "\n".join(piece.text for piece in part.parts if isinstance(piece, Text))
        shown: list[Part] = [piece for piece in part.parts if not isinstance(piece, Text)]
        if shown:
            others += [Text(f"What the tool call {part.id} returned:"), *shown]
            said = said or "(see the next message)"
        written.append({"role": "tool", "tool_call_id": part.id, "content": f"Error: {said}" if part.failed else said})
    if apart is not None and any(not _is_document(part) for part in others):
        apart += [{"data": _document(part)} for part in others if isinstance(part, Media) and _is_document(part)]
        others = [part for part in others if not _is_document(part)]
    if content := [_part(part) for part in others]:
        plain = all(block["type"] == "text" for block in content)
        text = "\n\n".join(block["text"] for block in content) if plain else ""
        written.append({"role": "user", "content": text if plain else content})
    return written


def _is_document(part: Part) -> bool:
    return isinstance(part, Media) and part.kind == "document"


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if not isinstance(part, Media):
        raise cannot("messages", WHO, "this kind of content has no counterpart in a user's turn.")
    if part.kind == "image":
        image = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
        return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}
    return {"type": "text", "text": "\n\n".join(_document(part).values())}


def _document(media: Media) -> dict[str, str]:
    """Return a document as Cohere takes it: texts by name. Raises RequestError for what is no text."""
    if media.kind == "audio":
        raise cannot("messages", WHO, "it takes no sound.")
    text = media.text
    if media.data and media.media_type.startswith("text/"):
        try:
            text = base64.b64decode(media.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise cannot("messages", WHO, "a document of text must be UTF-8 in base64.") from None
    if not text:
        raise cannot("messages", WHO, "its documents are plain text, sent inline. Send the text of this one.")
    return ({"title": media.name} if media.name else {}) | {"text": text}


def _tools(asked: Request) -> dict[str, Any]:
    """Return the tools and whether one must be called. One that is named is the only one offered then."""
    if asked.parallel_tools is False:
        raise cannot("parallel_tool_calls", WHO, "it may always call several tools at once. Leave it out.")
    offered = [tool for tool in asked.tools if asked.tool_choice != "named" or tool.name == asked.tool_name]
    if not offered:
        raise cannot("tool_choice", WHO, "it names none of the tools.")
    written: dict[str, Any] = {"tools": [_tool(tool) for tool in offered]}
    if choice := CHOICES[asked.tool_choice]:
        written["tool_choice"] = choice
    return written | ({"strict_tools": True} if any(tool.strict for tool in offered) else {})


def _tool(tool: Tool) -> dict[str, Any]:
    schema = tool.schema if "type" in tool.schema else {"type": "object", "properties": {}, **tool.schema}
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": schema}}
