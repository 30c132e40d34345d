"""Reads the content of a Converse request into the canonical form."""

from typing import Any, Literal

import msgspec

from gateway.dialects import shapes
from gateway.dialects.bedrock.formats import BY, DOCUMENTS, IMAGES
from gateway.dialects.canonical import Media, Message, Part, Text, Thinking, ToolCall, ToolResult, cannot

OTHERS = "an API other than Amazon's"
CACHED_S = 300
ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}


def read_messages(given: object) -> list[Message]:
    """Return the turns. Raises RequestError for what has no counterpart elsewhere."""
    messages: list[Message] = []
    for message in shapes.objects(given, "messages"):
        role = ROLES.get(shapes.text(message.get("role"), "messages"))
        if role is None:
            raise cannot("messages", OTHERS, 'a turn is of the role "user" or "assistant". Send system apart.')
        parts = _parts(message.get("content"), "messages")
        if messages and messages[-1].role == role:
            messages[-1].parts += parts
        else:
            messages.append(Message(role, parts))
    return messages


def read_system(given: object) -> list[Text]:
    """Return what the system says. Raises RequestError where that is more than text."""
    parts = _parts(given, "system")
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        raise cannot("system", OTHERS, "what the system says must be text there.")
    return texts


def _parts(given: object, param: str) -> list[Part]:
    parts: list[Part] = []
    for block in shapes.objects(given, param):
        if "cachePoint" in block:
            if parts and not isinstance(parts[-1], Thinking):
                parts[-1].cache = CACHED_S
        else:
            parts.append(_part(block, param))
    return parts


def _part(block: dict[str, Any], param: str) -> Part:
    if "text" in block:
        return Text(shapes.text(block["text"], param))
    if "json" in block:
        return Text(msgspec.json.encode(block["json"]).decode())
    if "image" in block:
        image = shapes.mapping(block["image"], param)
        form = IMAGES.get(shapes.text(image.get("format"), param))
        if form is None:
            raise cannot(param, OTHERS, "images are png, jpeg, gif or webp.")
        return Media("image", form, data=_inline(image, param))
    if "document" in block:
        return _document(shapes.mapping(block["document"], param), param)
    if "toolUse" in block:
        call = shapes.mapping(block["toolUse"], param)
        arguments = msgspec.json.encode(call.get("input") or {}).decode()
        return ToolCall(shapes.text(call.get("toolUseId"), param), shapes.text(call.get("name"), param), arguments)
    if "toolResult" in block:
        result = shapes.mapping(block["toolResult"], param)
        failed = result.get("status") == "error"
        return ToolResult(shapes.text(result.get("toolUseId"), param), _parts(result.get("content"), param), failed)
    if "reasoningContent" in block:
        return _thought(shapes.mapping(block["reasoningContent"], param), param)
    raise cannot(param, OTHERS, f"content of the kind {', '.join(sorted(block))[:60]!r} has no counterpart there.")


def _thought(given: dict[str, Any], param: str) -> Thinking:
    """Read a thought. Converse says not who made it: only Claude signs, and what is hidden is Amazon's."""
    told = shapes.mapping(given.get("reasoningText"), param)
    text, signature = shapes.text(told.get("text"), param), shapes.text(told.get("signature"), param)
    redacted = shapes.text(given.get("redactedContent"), param)
    return Thinking(text, signature, redacted, by=BY if redacted else "anthropic" if signature else "")


def _document(given: dict[str, Any], param: str) -> Media:
    form = DOCUMENTS.get(shapes.text(given.get("format"), param) or "txt")
    if form is None:
        raise cannot(param, OTHERS, "documents of this format are Amazon's alone.")
    name, source = shapes.text(given.get("name"), param), shapes.mapping(given.get("source"), param)
    if "content" in source:
        texts = [shapes.text(piece.get("text"), param) for piece in shapes.objects(source["content"], param)]
        return Media("document", form, text="\n".join(texts), name=name)
    if "text" in source:
        return Media("document", form, text=shapes.text(source["text"], param), name=name)
    return Media("document", form, data=_inline(given, param), name=name)


def _inline(given: dict[str, Any], param: str) -> str:
    data = shapes.text(shapes.mapping(given.get("source"), param).get("bytes"), param)
    if not data:
        raise cannot(param, OTHERS, "images and documents have to be sent inline, in base64.")
    return data
