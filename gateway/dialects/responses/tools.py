"""Tools as Responses name them: functions, tools that take free text, and namespaces of both.

Others know functions alone. A tool of a namespace becomes a function named `namespace__name`; one that takes free text a
function of one argument, `input`. What calls them is written back under the names that the client knows.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Tool, ToolCall, cannot
from gateway.errors import RequestError

OTHERS = "an API other than OpenAI's Responses"
_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@dataclass(frozen=True, slots=True)
class Named:
    """A tool as the client knows it. `free`: it takes free text."""

    name: str
    namespace: str = ""
    free: bool = False


Names = dict[str, Named]  # by the name of the function that stands for it


def spoken(name: str, namespace: str) -> str:
    """Return the name of the function that stands for a tool."""
    return f"{namespace}__{name}" if namespace else name


def read_tools(given: object) -> tuple[list[Tool], Names]:
    """Return the functions that stand for a request's tools, and what each stands for.

    Raises RequestError for tools whose definition only OpenAI's own models know.
    """
    tools: list[Tool] = []
    names: Names = {}
    for tool in shapes.objects(given, "tools"):
        if tool.get("type") == "namespace":
            namespace = shapes.text(tool.get("name"), "tools")
            for inner in shapes.objects(tool.get("tools"), "tools"):
                _add(inner, namespace, tools, names)
        else:
            _add(tool, "", tools, names)
    return tools, names


def _add(given: dict[str, Any], namespace: str, tools: list[Tool], names: Names) -> None:
    kind, name = given.get("type"), shapes.text(given.get("name"), "tools")
    if kind not in ("function", "custom"):
        raise cannot(
            "tools", OTHERS, f"a tool of the type {str(kind)[:40]!r} is OpenAI's own. Describe it as a function."
        )
    if not name:
        raise RequestError('Each of "tools" must have a "name".', param="tools")
    description, free = shapes.text(given.get("description"), "tools"), kind == "custom"
    function = spoken(name, namespace)
    names[function] = Named(name, namespace, free)
    if free:
        tools.append(Tool(function, description + _grammar(given.get("format")), _INPUT))
        return
    strict = shapes.flag(given.get("strict"), "tools")
    tools.append(Tool(function, description, shapes.mapping(given.get("parameters"), "tools"), strict))


def _grammar(given: object) -> str:
    form = shapes.mapping(given, "tools")
    if form.get("type") != "grammar":
        return ""
    syntax, definition = shapes.text(form.get("syntax"), "tools"), shapes.text(form.get("definition"), "tools")
    return f"\n\nThe input must follow this grammar ({syntax}):\n{definition}"


def argued(text: str) -> str:
    """Return the arguments of the function that stands for a tool with this free text."""
    return msgspec.json.encode({"input": text}).decode()


def free_text(arguments: str) -> str:
    """Return the free text in such arguments; all of them where they are of another shape."""
    given = shapes.answered(arguments.encode())
    text = given.get("input") if given is not None else None
    return text if isinstance(text, str) else arguments


def written_call(call: ToolCall, item_id: str, names: Names, status: str) -> dict[str, Any]:
    """Write a call as an item, under the name that the client knows."""
    named = names.get(call.name) or Named(call.name)
    written = {"id": item_id, "status": status, "call_id": call.id, "name": named.name}
    if named.namespace:
        written["namespace"] = named.namespace
    if named.free:
        return {"type": "custom_tool_call", "input": free_text(call.arguments) if call.arguments else ""} | written
    return {"type": "function_call", "arguments": call.arguments} | written
