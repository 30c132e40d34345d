"""Blocks of content: what stands in messages, read into parts and written from them."""

import base64
import binascii
import re
from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Media, Part, Text, Thinking, ToolCall, ToolResult, cannot

WHO = "Anthropic's Messages API"
OTHERS = "an API other than Anthropic's"
DIALECT = "anthropic"
INVALID = "INVALID_JSON"  # where a model's arguments are no object ("Fine-grained tool streaming" names it so)
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_SECONDS = {"1h": 3600}


def read_blocks(content: object, param: str = "messages") -> list[Part]:
    """Read content, a text or a list of blocks. Raises RequestError for what only Anthropic understands."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_read(block, param) for block in shapes.objects(content, param)]


def cache_of(given: dict[str, Any]) -> int:
    """Return for how many seconds a mark asks to keep the prompt up to here; 0: there is none."""
    mark = shapes.mapping(given.get("cache_control"), "cache_control")
    return _SECONDS.get(str(mark.get("ttl")), 300) if mark else 0


def _read(block: dict[str, Any], param: str) -> Part:
    kind = block.get("type")
    if kind == "text":
        return Text(shapes.text(block.get("text"), param), cache_of(block))
    if kind == "image":
        return _media("image", block, param)
    if kind == "document":
        if shapes.mapping(block.get("citations"), param).get("enabled"):
            raise cannot(param, OTHERS, "it cites no documents. Leave citations out.")
        return _media("document", block, param)
    if kind == "thinking":
        signature = shapes.text(block.get("signature"), param)
        return Thinking(shapes.text(block.get("thinking"), param), signature, by=DIALECT if signature else "")
    if kind == "redacted_thinking":
        return Thinking(redacted=shapes.text(block.get("data"), param), by=DIALECT)
    if kind == "tool_use":
        arguments = msgspec.json.encode(block.get("input") or {}).decode()
        name, call_id = shapes.text(block.get("name"), param), shapes.text(block.get("id"), param)
        return ToolCall(call_id, name, arguments, cache=cache_of(block))
    if kind == "tool_result":
        failed = bool(shapes.flag(block.get("is_error"), param))
        parts = read_blocks(block.get("content"), param)
        return ToolResult(shapes.text(block.get("tool_use_id"), param), parts, failed, cache=cache_of(block))
    raise cannot(param, OTHERS, f"content of the type {str(kind)[:40]!r} has no counterpart there.")


def _media(kind: str, block: dict[str, Any], param: str) -> Part:
    source = shapes.mapping(block.get("source"), param)
    form, media_type = source.get("type"), shapes.text(source.get("media_type"), param)
    found = Media("image" if kind == "image" else "document", media_type, cache=cache_of(block))
    if kind == "document":
        found.name = shapes.text(block.get("title"), param)
        if context := shapes.text(block.get("context"), param):
            found.name = f"{found.name}: {context}" if found.name else context
    if form == "base64":
        found.data = shapes.text(source.get("data"), param)
    elif form == "url":
        found.url = shapes.text(source.get("url"), param)
    elif form == "text" and kind == "document":
        found.text = shapes.text(source.get("data"), param)
    elif form == "content" and kind == "document":
        parts = read_blocks(source.get("content"), param)
        found.text = "\n".join(part.text for part in parts if isinstance(part, Text))
        if not all(isinstance(part, Text) for part in parts):
            raise cannot(param, OTHERS, "a document made of images has no counterpart there. Send the images.")
    else:
        raise cannot(param, OTHERS, "a stored file is known to Anthropic alone. Send the data itself.")
    return found


def write_blocks(parts: list[Part]) -> list[dict[str, Any]]:
    """Write parts as blocks. Thought that others made is left out, and so is a text of blanks alone, which is refused there."""
    written = [_write(part) for part in parts]
    return [block for block in written if block is not None]


def marked(block: dict[str, Any], cache: int) -> dict[str, Any]:
    """Return a block with its mark for the cache: always for five minutes, as an hour has a price of its own."""
    return block | {"cache_control": {"type": "ephemeral"}} if cache else block


def _write(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return marked({"type": "text", "text": part.text}, part.cache) if part.text.strip() else None
    if isinstance(part, Thinking):
        return _thinking(part)
    if isinstance(part, ToolCall):
        call: dict[str, Any] = {
            "type": "tool_use",
            "id": written_id(part.id),
            "name": part.name,
            "input": input_of(part.arguments),
        }
        return marked(call, part.cache)
    if isinstance(part, ToolResult):
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": written_id(part.id)}
        if content := write_blocks(part.parts):
            block["content"] = content
        return marked(block | ({"is_error": True} if part.failed else {}), part.cache)
    return marked(_written_media(part), part.cache)


def _thinking(part: Thinking) -> dict[str, Any] | None:
    if part.by != DIALECT:
        return None
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature} if part.signature else None


def written_id(call_id: str) -> str:
    """Return the id of a call as Anthropic takes it: of letters, digits, _ and - alone."""
    return _NOT_IN_IDS.sub("_", call_id)


def input_of(arguments: str) -> dict[str, Any]:
    """Return the arguments of a call as an object; what is none stands in one under a name that says so."""
    if not arguments:
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {INVALID: arguments}
    return value if isinstance(value, dict) else {INVALID: arguments}


def _written_media(media: Media) -> dict[str, Any]:
    if media.kind == "audio":
        raise cannot("messages", WHO, "it takes no sound.")
    source: dict[str, Any] = {"type": "base64", "media_type": media.media_type, "data": media.data}
    if media.url:
        source = {"type": "url", "url": media.url}
    if media.kind == "image":
        return {"type": "image", "source": source}
    text = media.text
    if media.data and media.media_type.startswith("text/"):
        text = _decoded(media.data)
    if text:
        source = {"type": "text", "media_type": "text/plain", "data": text}
    elif media.data and media.media_type not in ("", "application/pdf"):
        raise cannot("messages", WHO, "documents are PDF or plain text.")
    elif media.data:
        source["media_type"] = "application/pdf"
    return {"type": "document", "source": source} | ({"title": media.name} if media.name else {})


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise cannot("messages", WHO, "a document of text must be UTF-8 in base64.") from None
