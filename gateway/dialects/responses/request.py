"""Reads a Responses request into the canonical form."""

from typing import Any

from gateway.dialects import shapes
from gateway.dialects.canonical import Format, Request, Text, cannot
from gateway.dialects.efforts import effort_named
from gateway.dialects.responses.items import read_input
from gateway.dialects.responses.tools import OTHERS, read_tools, spoken
from gateway.errors import RequestError
from gateway.types import ParsedRequest

# The rest of what `parse` lets through changes neither what is answered nor what it may cost: dropped where the other
# side has no word for it, and so is `text.verbosity`, which Codex sends unasked. Nothing is stored, as the answer says.
LOGPROBS = "message.output_text.logprobs"


def read_request(request: ParsedRequest) -> Request:
    """Return what a request asks. Raises RequestError for what only OpenAI's own API understands."""
    given = shapes.decoded(request)
    form = shapes.mapping(given.get("text"), "text")
    if given.get("truncation") not in (None, "disabled"):
        raise cannot("truncation", OTHERS, "it shortens no conversation itself. Leave it out.")
    system, messages = read_input(given.get("input"))
    if instructions := shapes.text(given.get("instructions"), "instructions"):
        system.insert(0, Text(instructions))
    tools, _ = read_tools(given)
    most = shapes.whole_number(given.get("top_logprobs"), "top_logprobs")
    asked = Request(
        model=request.model,
        messages=messages,
        system=system,
        streamed=request.streamed,
        max_output_tokens=request.output_cap,
        tools=tools,
        parallel_tools=shapes.flag(given.get("parallel_tool_calls"), "parallel_tool_calls") if tools else None,
        format=_format(shapes.mapping(form.get("format"), "text.format")),
        temperature=shapes.number(given.get("temperature"), "temperature"),
        top_p=shapes.number(given.get("top_p"), "top_p"),
        logprobs=bool(most) or LOGPROBS in shapes.texts(given.get("include"), "include"),
        top_logprobs=most or None,
        user=shapes.text(given.get("user") or given.get("safety_identifier"), "user"),
    )
    _choose_tool(asked, given.get("tool_choice"))
    _think(asked, shapes.mapping(given.get("reasoning"), "reasoning"))
    return asked


def _choose_tool(asked: Request, choice: object) -> None:
    """Set how tools are chosen. A choice among some of them offers these alone, which comes to the same."""
    if choice is None or not asked.tools:
        return
    if choice in ("auto", "none", "required"):
        asked.tool_choice = choice
        return
    given = shapes.mapping(choice, "tool_choice")
    if given.get("type") in ("function", "custom"):
        asked.tool_choice, asked.tool_name = "named", _named(given)
        return
    mode = given.get("mode")
    if given.get("type") != "allowed_tools" or mode not in ("auto", "required"):
        raise cannot("tool_choice", OTHERS, "only auto, none, required, a function and allowed_tools have a meaning.")
    named = {_named(tool) for tool in shapes.objects(given.get("tools"), "tool_choice")}
    asked.tools = [tool for tool in asked.tools if tool.name in named]
    asked.tool_choice = mode


def _named(given: dict[str, Any]) -> str:
    return spoken(shapes.text(given.get("name"), "tool_choice"), shapes.text(given.get("namespace"), "tool_choice"))


def _think(asked: Request, given: dict[str, Any]) -> None:
    asked.thoughts_wanted = bool(given.get("summary") or given.get("generate_summary"))
    effort = given.get("effort")
    if effort is None:
        return
    known = "none" if effort == "none" else effort_named(effort)
    if known is None:
        raise RequestError(
            '"reasoning.effort" must be none, minimal, low, medium, high, xhigh or max.', param="reasoning"
        )
    asked.effort = known


def _format(given: dict[str, Any]) -> Format | None:
    kind = given.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        raise cannot("text.format", OTHERS, "only text, json_object and json_schema have a meaning there.")
    return Format(
        shapes.mapping(given.get("schema"), "text.format"),
        shapes.text(given.get("name"), "text.format"),
        shapes.flag(given.get("strict"), "text.format"),
        shapes.text(given.get("description"), "text.format"),
    )
