"""A chat request, read and checked: what was said, what is asked for."""

from dataclasses import dataclass
from typing import Any

from portal.demo.wire import ApiError

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_MOST_CHOICES = 16


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the engine answers to. Texts are joined from their parts."""

    model: str
    prompt: str  # the last user message
    instructions: str  # system and developer messages
    turn: int  # number of user messages
    images: int  # pictures, sounds and files in the last user message
    tool_result: str | None  # set when the last message is a tool's
    choices: int
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stops: tuple[str, ...]
    tools: tuple[dict[str, Any], ...]  # function definitions
    tool_choice: str | None  # "none", "auto", "required", or None
    forced_tool: str  # name of the function that must be called, or ""
    answer_format: str  # "text", "json_object", "json_schema"
    schema: Any


def read_conversation(request: dict[str, Any]) -> Conversation:
    """Check a request. Raises ApiError (400) that names the parameter."""
    model, messages = request.get("model"), request.get("messages")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "You must provide a model parameter.", param="model")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "'messages' must be an array of at least one message.", param="messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages.[{index}]")
    if request.get("logprobs") or request.get("top_logprobs"):
        raise ApiError(
            400, "The demo engine computes no log probabilities.", param="logprobs", code="unsupported_parameter"
        )
    users = [message for message in messages if message["role"] == "user"]
    prompt, images = _text(users[-1].get("content")) if users else ("", 0)
    last = messages[-1]
    answer_format, schema = _answer_format(request.get("response_format"))
    tools = _tools(request.get("tools"))
    tool_choice, forced = _tool_choice(request.get("tool_choice"), tools)
    return Conversation(
        model=model,
        prompt=prompt,
        instructions=" ".join(_text(m.get("content"))[0] for m in messages if m["role"] in ("system", "developer")),
        turn=len(users),
        images=images,
        tool_result=_text(last.get("content"))[0] if last["role"] in ("tool", "function") else None,
        choices=_whole(request, "n", 1, _MOST_CHOICES) or 1,
        stream=request.get("stream") is True,
        include_usage=bool((request.get("stream_options") or {}).get("include_usage")),
        max_tokens=_whole(request, "max_completion_tokens", 1) or _whole(request, "max_tokens", 1),
        stops=_stops(request.get("stop")),
        tools=tools,
        tool_choice=tool_choice,
        forced_tool=forced,
        answer_format=answer_format,
        schema=schema,
    )


def _check_message(message: Any, param: str) -> None:
    if not isinstance(message, dict):
        raise ApiError(400, f"Invalid type for '{param}': expected an object.", param=param)
    if message.get("role") not in _ROLES:
        raise ApiError(400, f"Invalid value for '{param}.role'.", param=f"{param}.role", code="invalid_value")
    content = message.get("content")
    if not (isinstance(content, str | list) or (content is None and message["role"] in ("assistant", "tool"))):
        raise ApiError(
            400, f"Invalid type for '{param}.content': expected a string or parts.", param=f"{param}.content"
        )


def _text(content: Any) -> tuple[str, int]:
    """Return the text of a message's content, and how many parts are no text."""
    if not isinstance(content, list):
        return (content if isinstance(content, str) else ""), 0
    parts = [part for part in content if isinstance(part, dict)]
    texts = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    return "\n".join(texts), len(parts) - len(texts)


def _whole(request: dict[str, Any], name: str, least: int, most: int | None = None) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ApiError(400, f"Invalid '{name}': expected a whole number {limits}.", param=name, code="invalid_value")
    return value


def _stops(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else (value or [])
    if not isinstance(stops, list) or len(stops) > 4 or not all(isinstance(stop, str) and stop for stop in stops):
        raise ApiError(400, "Invalid 'stop': expected a string or at most four.", param="stop", code="invalid_value")
    return tuple(stops)


def _tools(value: Any) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    found = []
    for index, tool in enumerate(value if isinstance(value, list) else [value]):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ApiError(400, f"Missing required parameter: 'tools[{index}].function.name'.", param=f"tools[{index}]")
        found.append(function)
    return tuple(found)


def _tool_choice(value: Any, tools: tuple[dict[str, Any], ...]) -> tuple[str | None, str]:
    if value is None or value in ("none", "auto"):
        return value, ""
    if not tools:
        raise ApiError(400, "Invalid 'tool_choice': it needs 'tools'.", param="tool_choice")
    if value == "required":
        return value, ""
    function = value.get("function") if isinstance(value, dict) else None
    named = function.get("name") if isinstance(function, dict) else None
    if not isinstance(named, str) or named not in [tool["name"] for tool in tools]:
        raise ApiError(
            400, "Invalid 'tool_choice': no such tool in 'tools'.", param="tool_choice", code="invalid_value"
        )
    return "required", named


def _answer_format(value: Any) -> tuple[str, Any]:
    if value is None:
        return "text", None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("text", "json_object"):
        return str(kind), None
    if kind == "json_schema":
        described = value.get("json_schema")
        if isinstance(described, dict) and isinstance(described.get("schema"), dict):
            return "json_schema", described["schema"]
        raise ApiError(
            400,
            "Missing required parameter: 'response_format.json_schema.schema'.",
            param="response_format.json_schema",
        )
    raise ApiError(400, "Invalid value for 'response_format.type'.", param="response_format.type", code="invalid_value")
