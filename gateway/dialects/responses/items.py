"""Reads the input of a Responses request: a text, or a list of items."""

from typing import Any, Literal

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Media, Message, Part, Text, ToolCall, ToolResult, cannot
from gateway.dialects.chat.messages import source_of, texts_alone
from gateway.dialects.responses.thinking import read_reasoning
from gateway.dialects.responses.tools import OTHERS, SEARCH, argued, found_by, spoken

Role = Literal["user", "assistant"]
ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}
WHY = {
    "compaction": "what OpenAI summarised, only it can read. Send the conversation itself.",
}


def read_input(given: object) -> tuple[list[Text], list[Message]]:
    """Return what the system says, and the turns. Instructions between turns join those at the start."""
    if isinstance(given, str):
        return [], [Message("user", [Text(given)])]
    system: list[Text] = []
    messages: list[Message] = []
    for item in shapes.objects(given, "input"):
        if item.get("role") in ("system", "developer"):
            system += texts_alone(_content(item.get("content")), "input")
            continue
        role, parts = _item(item)
        if messages and messages[-1].role == role:
            messages[-1].parts += parts
        else:
            messages.append(Message(role, parts))
    return system, messages


def _item(item: dict[str, Any]) -> tuple[Role, list[Part]]:
    kind = item.get("type") or "message"
    if kind == "message":
        role = ROLES.get(shapes.text(item.get("role"), "input"))
        if role is None:
            raise cannot(
                "input", OTHERS, f"a message of the role {str(item.get('role'))[:40]!r} has no counterpart there."
            )
        return role, _content(item.get("content"))
    if kind == "reasoning":
        return "assistant", [read_reasoning(item)]
    if kind in ("function_call", "custom_tool_call"):
        name = spoken(shapes.text(item.get("name"), "input"), shapes.text(item.get("namespace"), "input"))
        arguments = shapes.text(item.get("arguments"), "input")
        if kind == "custom_tool_call":
            arguments = argued(shapes.text(item.get("input"), "input"))
        return "assistant", [ToolCall(shapes.text(item.get("call_id"), "input"), name, arguments)]
    if kind in ("function_call_output", "custom_tool_call_output"):
        return "user", [ToolResult(shapes.text(item.get("call_id"), "input"), _content(item.get("output")))]
    if kind == "tool_search_call":
        arguments = msgspec.json.encode(item.get("arguments") or {}).decode()
        return "assistant", [ToolCall(shapes.text(item.get("call_id"), "input"), SEARCH, arguments)]
    if kind == "tool_search_output":
        return "user", [ToolResult(shapes.text(item.get("call_id"), "input"), [Text(found_by(item))])]
    raise cannot("input", OTHERS, WHY.get(kind, f"an item of the type {str(kind)[:40]!r} has no counterpart there."))


def _content(content: object) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part) for part in shapes.objects(content, "input")]


def _part(given: dict[str, Any]) -> Part:
    kind = given.get("type")
    if kind in ("input_text", "output_text", "text"):
        return Text(shapes.text(given.get("text"), "input"))
    if kind == "refusal":
        return Text(shapes.text(given.get("refusal"), "input"))
    if given.get("file_id"):
        raise cannot("input", OTHERS, "a stored file is known to OpenAI alone. Send the data itself.")
    if kind == "input_image":
        media_type, data, url = source_of(shapes.text(given.get("image_url"), "input"), "input")
        return Media("image", media_type, data, url, detail=shapes.text(given.get("detail"), "input"))
    if kind == "input_file":
        file = shapes.text(given.get("file_data") or given.get("file_url"), "input")
        media_type, data, url = source_of(file, "input")
        return Media("document", media_type, data, url, name=shapes.text(given.get("filename"), "input"))
    raise cannot("input", OTHERS, f"content of the type {str(kind)[:40]!r} has no counterpart there.")
