"""Tools as Responses name them: functions, tools that take free text, namespaces of both, and a search for more of them.

Others know functions alone. A tool of a namespace becomes a function named `namespace__name`; one that takes free text a
function of one argument, `input`; the client's own search a function, too, and what it found is offered from then on. What
calls them is written back under the names that the client knows.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.dialects import shapes
from gateway.dialects.canonical import Tool, ToolCall, cannot
from gateway.errors import RequestError

OTHERS = "an API other than OpenAI's Responses"
SEARCH = "tool_search"
_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@dataclass(frozen=True, slots=True)
class Named:
    """A tool as the client knows it."""

    name: str
    namespace: str = ""
    kind: Literal["function", "custom", "tool_search"] = "function"


Names = dict[str, Named]  # by the name of the function that stands for it


def spoken(name: str, namespace: str) -> str:
    """Return the name of the function that stands for a tool."""
    return f"{namespace}__{name}" if namespace else name


def read_tools(body: dict[str, Any]) -> tuple[list[Tool], Names]:
    """Return the functions that stand for a request's tools, those that were found included, and what each stands for.

    Raises RequestError for tools whose definition only OpenAI's own models know.
    """
    tools: list[Tool] = []
    names: Names = {}
    given = [*shapes.objects(body.get("tools"), "tools")]
    for item in shapes.listed(body.get("input")):
        given += shapes.objects(item.get("tools"), "input") if item.get("type") == "tool_search_output" else []
    for tool in given:
        if tool.get("type") == "namespace":
            namespace = shapes.text(tool.get("name"), "tools")
            for inner in shapes.objects(tool.get("tools"), "tools"):
                _add(inner, namespace, tools, names)
        else:
            _add(tool, "", tools, names)
    return tools, names


def _add(given: dict[str, Any], namespace: str, tools: list[Tool], names: Names) -> None:
    kind, name = given.get("type"), shapes.text(given.get("name"), "tools")
    if kind == SEARCH and given.get("execution") == "client":
        name = SEARCH
    elif kind not in ("function", "custom"):
        raise cannot(
            "tools", OTHERS, f"a tool of the type {str(kind)[:40]!r} is OpenAI's own. Describe it as a function."
        )
    if not name:
        raise RequestError('Each of "tools" must have a "name".', param="tools")
    function, description = spoken(name, namespace), shapes.text(given.get("description"), "tools")
    if function in names:
        return  # found again
    names[function] = Named(name, namespace, kind)
    if kind == "custom":
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


def found_by(item: dict[str, Any]) -> str:
    """Return in words which tools a search found."""
    _, names = read_tools({"tools": item.get("tools")})
    return f"These tools can be called now: {', '.join(names)}." if names else "No tool was found."


def written_call(call: ToolCall, item_id: str, names: Names, status: str) -> dict[str, Any]:
    """Write a call as an item, under the name that the client knows."""
    named = names.get(call.name) or Named(call.name)
    written: dict[str, Any] = {"id": item_id, "status": status, "call_id": call.id}
    if named.kind == SEARCH:
        arguments = shapes.answered(call.arguments.encode()) or {}
        return {"type": "tool_search_call", "execution": "client", "arguments": arguments} | written
    written["name"] = named.name
    if named.namespace:
        written["namespace"] = named.namespace
    if named.kind == "custom":
        return {"type": "custom_tool_call", "input": free_text(call.arguments) if call.arguments else ""} | written
    return {"type": "function_call", "arguments": call.arguments} | written
