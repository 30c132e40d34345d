"""Reads the messages of a chat request."""

from typing import Any, Literal

from gateway.dialects import shapes
from gateway.dialects.canonical import Media, Message, Part, Text, Thinking, ToolCall, ToolResult, cannot
from gateway.errors import RequestError

OTHERS = "an API other than OpenAI's"
ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "tool": "user", "assistant": "assistant"}


def read_messages(given: list[dict[str, Any]]) -> tuple[list[Text], list[Message]]:
    """Return what the system says, and the turns. Instructions between turns join those at the start."""
    system: list[Text] = []
    messages: list[Message] = []
    for message in given:
        role = message.get("role")
        if role in ("system", "developer"):
            system += texts_alone(_content(message.get("content")), "messages")
            continue
        turn = ROLES.get(shapes.text(role, "messages"))
        if turn is None:
            raise cannot("messages", OTHERS, f"a message of the role {str(role)[:40]!r} has no counterpart there.")
        if message.get("name") and role != "tool":
            raise cannot("messages", OTHERS, "it has no names for those who speak. Leave name out of messages.")
        parts = _parts(message)
        if messages and messages[-1].role == turn:
            messages[-1].parts += parts
        else:
            messages.append(Message(turn, parts))
    return system, messages


def texts_alone(parts: list[Part], param: str) -> list[Text]:
    """Return what the system says. Raises RequestError (400) where that is not text alone."""
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        raise cannot(param, OTHERS, "what the system says must be text there. Send the rest as the user.")
    return texts


def _parts(message: dict[str, Any]) -> list[Part]:
    if message.get("role") == "tool":
        name = shapes.text(message.get("name"), "messages")
        call_id = shapes.text(message.get("tool_call_id"), "messages")
        if not call_id:
            raise RequestError('A message of the role "tool" must say its "tool_call_id".', param="messages")
        return [ToolResult(call_id, _content(message.get("content")), name=name)]
    if message.get("function_call") or message.get("audio"):
        raise cannot("messages", OTHERS, "function_call and audio have no counterpart there. Send tool_calls and text.")
    thought = message.get("reasoning_content")
    parts: list[Part] = [Thinking(shapes.text(thought, "messages"))] if thought else []
    parts += _content(message.get("content"))
    if refusal := shapes.text(message.get("refusal"), "messages"):
        parts.append(Text(refusal))
    return parts + [_call(call) for call in shapes.objects(message.get("tool_calls"), "messages")]


def _call(given: dict[str, Any]) -> ToolCall:
    if given.get("type", "function") != "function":
        raise cannot("messages", OTHERS, "calls of tools that take free text are OpenAI's alone.")
    function = shapes.mapping(given.get("function"), "messages")
    return ToolCall(
        shapes.text(given.get("id"), "messages"),
        shapes.text(function.get("name"), "messages"),
        shapes.text(function.get("arguments"), "messages"),
    )


def _content(content: object) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part) for part in shapes.objects(content, "messages")]


def _part(given: dict[str, Any]) -> Part:
    kind = given.get("type")
    if kind in ("text", "refusal"):
        return Text(shapes.text(given.get(kind), "messages"))
    if kind == "image_url":
        image = given.get("image_url")
        said = {"url": image} if isinstance(image, str) else shapes.mapping(image, "messages")
        media_type, data, url = source_of(shapes.text(said.get("url"), "messages"), "messages")
        return Media("image", media_type, data, url, detail=shapes.text(said.get("detail"), "messages"))
    if kind == "input_audio":
        audio = shapes.mapping(given.get("input_audio"), "messages")
        form = shapes.text(audio.get("format"), "messages")
        return Media("audio", f"audio/{form}", shapes.text(audio.get("data"), "messages"))
    if kind == "file":
        file = shapes.mapping(given.get("file"), "messages")
        media_type, data, url = source_of(shapes.text(file.get("file_data"), "messages"), "messages")
        if not data and not url:
            raise cannot(
                "messages", OTHERS, "a stored file is known to OpenAI alone. Send the file itself (file_data)."
            )
        return Media("document", media_type, data, url, name=shapes.text(file.get("filename"), "messages"))
    raise cannot("messages", OTHERS, f"content of the type {str(kind)[:40]!r} has no counterpart there.")


def source_of(url: str, param: str) -> tuple[str, str, str]:
    """Return (media type, data, URL) of an address, which may hold the data itself (RFC 2397)."""
    if url[:5].lower() != "data:":
        return "", "", url
    head, comma, data = url[5:].partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise RequestError(f"A data URL in {param} must hold its data in base64.", param=param)
    return head[:-7].partition(";")[0].lower(), data, ""
