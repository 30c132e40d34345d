"""Reads a chat request into the canonical form."""

from typing import Any, Literal

from gateway.dialects import shapes
from gateway.dialects.canonical import Effort, Format, Request, Tool, cannot
from gateway.dialects.chat.messages import read_messages
from gateway.dialects.efforts import effort_named
from gateway.errors import RequestError
from gateway.types import ParsedRequest

OTHERS = "an API other than OpenAI's"

# They change neither what is answered nor what it may cost: dropped where the other side has no word for them.
HINTS = frozenset(
    {"metadata", "store", "stream_options", "service_tier", "prediction"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "modalities"}
)
READ = frozenset(
    {"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens", "tools", "tool_choice"}
    | {"parallel_tool_calls", "response_format", "reasoning_effort", "temperature", "top_p", "stop", "seed"}
    | {"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "user", "safety_identifier"}
)
NEUTRAL: dict[str, tuple[object, ...]] = {"verbosity": ("medium",), "logit_bias": ({},), "functions": ([],)}
WHY = {
    "functions": "this is the older form of tools. Send tools.",
    "function_call": "this is the older form of tool_choice. Send tool_choice.",
}


def read_request(request: ParsedRequest) -> Request:
    """Return what a chat request asks. Raises RequestError for what only OpenAI's own API understands."""
    given = shapes.decoded(request)
    for name, value in given.items():
        if name not in READ and name not in HINTS and value is not None and value not in NEUTRAL.get(name, ()):
            raise cannot(name, OTHERS, WHY.get(name, "it has no such parameter. Leave it out."))
    system, messages = read_messages(shapes.objects(given.get("messages"), "messages"))
    tools = [_tool(tool) for tool in shapes.objects(given.get("tools"), "tools")]
    asked = Request(
        model=request.model,
        messages=messages,
        system=system,
        streamed=request.streamed,
        max_output_tokens=request.output_cap,
        choices=request.choices,
        tools=tools,
        parallel_tools=shapes.flag(given.get("parallel_tool_calls"), "parallel_tool_calls"),
        format=_format(given.get("response_format")),
        effort=_effort(given.get("reasoning_effort")),
        temperature=shapes.number(given.get("temperature"), "temperature"),
        top_p=shapes.number(given.get("top_p"), "top_p"),
        stop=shapes.texts(given.get("stop"), "stop"),
        seed=shapes.whole_number(given.get("seed"), "seed"),
        frequency_penalty=shapes.number(given.get("frequency_penalty"), "frequency_penalty"),
        presence_penalty=shapes.number(given.get("presence_penalty"), "presence_penalty"),
        logprobs=bool(shapes.flag(given.get("logprobs"), "logprobs")),
        top_logprobs=shapes.whole_number(given.get("top_logprobs"), "top_logprobs"),
        user=shapes.text(given.get("user") or given.get("safety_identifier"), "user"),
    )
    _choose_tool(asked, given.get("tool_choice"))
    return asked


def _tool(given: dict[str, Any]) -> Tool:
    if given.get("type", "function") != "function":
        raise cannot("tools", OTHERS, "tools that take free text are OpenAI's alone. Send functions.")
    function = shapes.mapping(given.get("function"), "tools")
    name = shapes.text(function.get("name"), "tools")
    if not name:
        raise RequestError('Each of "tools" must name its function.', param="tools")
    return Tool(
        name,
        shapes.text(function.get("description"), "tools"),
        shapes.mapping(function.get("parameters"), "tools"),
        shapes.flag(function.get("strict"), "tools"),
    )


def _choose_tool(asked: Request, choice: object) -> None:
    """Set how tools are chosen. A choice among some of them offers these alone, which comes to the same."""
    if choice is None:
        return
    if choice in ("auto", "none", "required"):
        asked.tool_choice = choice
        return
    given = shapes.mapping(choice, "tool_choice")
    if given.get("type") == "function":
        asked.tool_choice = "named"
        asked.tool_name = shapes.text(shapes.mapping(given.get("function"), "tool_choice").get("name"), "tool_choice")
        return
    allowed = shapes.mapping(given.get("allowed_tools"), "tool_choice")
    mode = allowed.get("mode")
    if given.get("type") != "allowed_tools" or mode not in ("auto", "required"):
        raise cannot("tool_choice", OTHERS, "only auto, none, required, a function and allowed_tools have a meaning.")
    named = {_tool(tool).name for tool in shapes.objects(allowed.get("tools"), "tool_choice")}
    asked.tools = [tool for tool in asked.tools if tool.name in named]
    asked.tool_choice = mode


def _format(given: object) -> Format | None:
    form = shapes.mapping(given, "response_format")
    kind = form.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        raise cannot("response_format", OTHERS, "only text, json_object and json_schema have a meaning there.")
    wanted = shapes.mapping(form.get("json_schema"), "response_format")
    return Format(
        shapes.mapping(wanted.get("schema"), "response_format"),
        shapes.text(wanted.get("name"), "response_format"),
        shapes.flag(wanted.get("strict"), "response_format"),
        shapes.text(wanted.get("description"), "response_format"),
    )


def _effort(given: object) -> Effort | Literal["", "none"]:
    if given is None:
        return ""
    if given == "none":
        return "none"
    effort = effort_named(given)
    if effort is None:
        raise RequestError(
            'The parameter "reasoning_effort" must be none, minimal, low, medium, high, xhigh or max.',
            param="reasoning_effort",
        )
    return effort
