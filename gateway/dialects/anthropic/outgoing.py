"""Writes a request for providers that speak Anthropic's Messages API."""

from typing import Any

import msgspec

from gateway.dialects.anthropic.content import WHO, marked, write_blocks
from gateway.dialects.anthropic.schema import closed
from gateway.dialects.anthropic.thinking import written_thinking
from gateway.dialects.canonical import Format, Message, Request, Tool, ToolResult, cannot

CAP = 4_096  # max_tokens is required: where neither client nor catalogue says any, what every model allows


def write_request(asked: Request, cap: int) -> bytes:
    """Return the body for the provider. Raises RequestError for what Messages cannot say."""
    _refuse(asked)
    most = asked.max_output_tokens or cap or CAP
    body: dict[str, Any] = {"model": asked.model, "max_tokens": most, "messages": _messages(asked.messages)}
    if system := write_blocks([*asked.system]):
        plain = len(system) == 1 and "cache_control" not in system[0]
        body["system"] = system[0]["text"] if plain else system
    if asked.streamed:
        body["stream"] = True
    if asked.tools:
        body["tools"] = [_tool(tool) for tool in asked.tools]
        body |= _tool_choice(asked)
    thinking, config = written_thinking(asked, most)
    body |= thinking
    if asked.format is not None:
        config |= {"format": _format(asked.format)}
    if config:
        body["output_config"] = config
    if asked.user:
        body["metadata"] = {"user_id": asked.user}
    said: dict[str, Any] = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "stop_sequences": asked.stop or None,
    }
    return msgspec.json.encode(body | {name: value for name, value in said.items() if value is not None})


def _refuse(asked: Request) -> None:
    refused = {
        "n": asked.choices != 1,
        "seed": asked.seed is not None,
        "frequency_penalty": bool(asked.frequency_penalty),
        "presence_penalty": bool(asked.presence_penalty),
        "logprobs": asked.logprobs or asked.top_logprobs is not None,
    }
    for name, is_said in refused.items():
        if is_said:
            raise cannot(name, WHO, "it has no such parameter. Leave it out.")
    if asked.temperature is not None and asked.temperature > 1:
        raise cannot("temperature", WHO, "it ends at 1 there. Send one from 0 to 1.")


def _messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Write the turns: results of tools first in theirs, as they must be; turns of nothing are left out."""
    written = []
    for message in messages:
        parts = sorted(message.parts, key=lambda part: not isinstance(part, ToolResult))
        if blocks := write_blocks(parts):
            plain = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
            written.append({"role": message.role, "content": blocks[0]["text"] if plain else blocks})
    return written


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = tool.schema if "type" in tool.schema else {"type": "object", **tool.schema}
    if tool.strict is not None:
        written["strict"] = tool.strict
    return marked(written, tool.cache)


def _tool_choice(asked: Request) -> dict[str, Any]:
    kinds = {"": "auto", "auto": "auto", "none": "none", "required": "any", "named": "tool"}
    choice: dict[str, Any] = {"type": kinds[asked.tool_choice]}
    if asked.tool_choice == "named":
        choice["name"] = asked.tool_name
    if asked.parallel_tools is not None and asked.tool_choice != "none":
        choice["disable_parallel_tool_use"] = not asked.parallel_tools
    return {"tool_choice": choice} if asked.tool_choice or asked.parallel_tools is not None else {}


def _format(form: Format) -> dict[str, Any]:
    if form.schema is None:
        raise cannot("response_format", WHO, "JSON of any shape cannot be asked for. Send a json_schema.")
    return {"type": "json_schema", "schema": closed(form.schema)}
