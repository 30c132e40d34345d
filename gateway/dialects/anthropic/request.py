"""Reads a Messages request into the canonical form."""

from typing import Any, Literal

from gateway.dialects import shapes
from gateway.dialects.anthropic.content import OTHERS, cache_of, read_blocks
from gateway.dialects.canonical import Format, Message, Request, Text, Tool, cannot
from gateway.dialects.efforts import effort_named
from gateway.errors import RequestError
from gateway.types import ParsedRequest

ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}
CHOICES: dict[str, Literal["auto", "none", "required", "named"]] = {
    "auto": "auto", "none": "none", "any": "required", "tool": "named",
}  # fmt: skip


def read_request(request: ParsedRequest) -> Request:
    """Return what a request asks.

    What changes nothing of the answer is left out where others have no word for it: marks for caches, service_tier,
    diagnostics, and rules that drop earlier thought, which others drop anyway. Raises RequestError for the rest.
    """
    given = shapes.decoded(request)
    system, messages = _conversation(given)
    asked = Request(
        model=request.model,
        messages=messages,
        system=system,
        streamed=request.streamed,
        max_output_tokens=request.output_cap,
        tools=[_tool(tool) for tool in shapes.objects(given.get("tools"), "tools")],
        temperature=shapes.number(given.get("temperature"), "temperature"),
        top_p=shapes.number(given.get("top_p"), "top_p"),
        top_k=shapes.whole_number(given.get("top_k"), "top_k"),
        stop=shapes.texts(given.get("stop_sequences"), "stop_sequences"),
        user=shapes.text(shapes.mapping(given.get("metadata"), "metadata").get("user_id"), "metadata"),
    )
    _choose_tool(asked, shapes.mapping(given.get("tool_choice"), "tool_choice"))
    _think(asked, shapes.mapping(given.get("thinking"), "thinking"))
    _shape_output(asked, given)
    for edit in shapes.objects(_edits(given), "context_management"):
        if not str(edit.get("type")).startswith("clear_thinking"):
            raise cannot("context_management", OTHERS, "it keeps the conversation as it is sent. Leave it out.")
    return asked


def _conversation(given: dict[str, Any]) -> tuple[list[Text], list[Message]]:
    """Return what the system says, and the turns. Instructions between turns join those at the start."""
    system = _texts(given.get("system"), "system")
    messages: list[Message] = []
    for message in shapes.objects(given.get("messages"), "messages"):
        role = shapes.text(message.get("role"), "messages")
        if role == "system":
            system += _texts(message.get("content"), "messages")
            continue
        turn = ROLES.get(role)
        if turn is None:
            raise RequestError('The role of a message must be "user" or "assistant".', param="messages")
        parts = read_blocks(message.get("content"))
        if messages and messages[-1].role == turn:
            messages[-1].parts += parts
        else:
            messages.append(Message(turn, parts))
    return system, messages


def _texts(content: object, param: str) -> list[Text]:
    parts = read_blocks(content, param)
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) != len(parts):
        raise RequestError("What the system says must be text.", param=param)
    return texts


def _tool(given: dict[str, Any]) -> Tool:
    if given.get("type") not in (None, "custom"):
        raise cannot("tools", OTHERS, "only models of Anthropic know its own tools. Describe them as your own.")
    name = shapes.text(given.get("name"), "tools")
    if not name:
        raise RequestError('Each of "tools" must have a "name".', param="tools")
    return Tool(
        name,
        shapes.text(given.get("description"), "tools"),
        shapes.mapping(given.get("input_schema"), "tools"),
        shapes.flag(given.get("strict"), "tools"),
        cache_of(given),
    )


def _choose_tool(asked: Request, given: dict[str, Any]) -> None:
    if not given:
        return
    choice = CHOICES.get(str(given.get("type")))
    if choice is None:
        raise RequestError('The type of "tool_choice" must be auto, any, tool or none.', param="tool_choice")
    asked.tool_choice = choice
    asked.tool_name = shapes.text(given.get("name"), "tool_choice")
    alone = shapes.flag(given.get("disable_parallel_tool_use"), "tool_choice")
    asked.parallel_tools = None if alone is None else not alone


def _think(asked: Request, given: dict[str, Any]) -> None:
    kind = given.get("type")
    if not given:
        return
    if kind == "disabled":
        asked.thinking_tokens = 0
        return
    if kind == "enabled":
        budget = shapes.whole_number(given.get("budget_tokens"), "thinking")
        if budget is None or budget < 1:
            raise RequestError('"thinking" must say its "budget_tokens".', param="thinking")
        asked.thinking_tokens = budget
    elif kind != "adaptive":
        raise cannot("thinking", OTHERS, "only enabled, adaptive and disabled have a meaning there.")
    asked.thoughts_wanted = given.get("display") != "omitted"


def _shape_output(asked: Request, given: dict[str, Any]) -> None:
    config = shapes.mapping(given.get("output_config"), "output_config")
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            raise cannot("output_config", OTHERS, f"it has nothing like {name[:40]!r}. Leave it out.")
    if config.get("effort") is not None:
        effort = effort_named(config["effort"])
        if effort is None:
            raise RequestError('The "effort" of "output_config" is none that is known.', param="output_config")
        asked.effort = effort
    form = shapes.mapping(config.get("format") or given.get("output_format"), "output_config")
    if form:
        if form.get("type") != "json_schema":
            raise cannot("output_config", OTHERS, "only the format json_schema has a meaning there.")
        # what Anthropic promises of its answers is what others call strict
        asked.format = Format(shapes.mapping(form.get("schema"), "output_config"), strict=True)


def _edits(given: dict[str, Any]) -> object:
    return shapes.mapping(given.get("context_management"), "context_management").get("edits")
