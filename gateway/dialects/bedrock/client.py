"""Converse as a client's format: requests read, whole answers written. See `ClientFormat`.

Dropped, as they change nothing of the answer: requestMetadata, performanceConfig and serviceTier at their usual values.
"""

from typing import Any

import msgspec

from gateway.dialects import shapes
from gateway.dialects.anthropic.content import input_of
from gateway.dialects.bedrock.content import read_messages, read_system
from gateway.dialects.bedrock.formats import BY, SIGNERS, WRITTEN_STOPS
from gateway.dialects.bedrock.usage import written_usage
from gateway.dialects.bedrock.writer import ConverseWriter
from gateway.dialects.canonical import Answer, Format, Part, Request, Text, Thinking, Tool, ToolCall, cannot
from gateway.dialects.efforts import effort_named
from gateway.errors import RequestError
from gateway.types import ParsedRequest

OTHERS = "an API other than Amazon's"
FIELDS = "additionalModelRequestFields"


class ConverseClient:
    """See `ClientFormat`."""

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        given = shapes.decoded(request)
        if given.get("additionalModelResponseFieldPaths"):
            raise cannot("additionalModelResponseFieldPaths", OTHERS, "its answers have no such fields. Leave it out.")
        inference = shapes.mapping(given.get("inferenceConfig"), "inferenceConfig")
        asked = Request(
            model=request.model,
            messages=read_messages(given.get("messages")),
            system=read_system(given.get("system")),
            streamed=request.streamed,
            max_output_tokens=request.output_cap,
            temperature=shapes.number(inference.get("temperature"), "inferenceConfig"),
            top_p=shapes.number(inference.get("topP"), "inferenceConfig"),
            stop=shapes.texts(inference.get("stopSequences"), "inferenceConfig"),
        )
        _read_tools(asked, shapes.mapping(given.get("toolConfig"), "toolConfig"))
        _read_output(asked, shapes.mapping(given.get("outputConfig"), "outputConfig"))
        _read_fields(asked, shapes.mapping(given.get(FIELDS), FIELDS))
        return asked

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`. How long the model took is not known here: `latencyMs` is 0."""
        choice = answer.choices[0]
        content = [block for part in choice.parts if (block := _written(part))]
        return msgspec.json.encode(
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": WRITTEN_STOPS[choice.stop],
                "usage": written_usage(answer.usage),
                "metrics": {"latencyMs": 0},
            }
        )

    def writer(self, request: ParsedRequest) -> ConverseWriter:
        """See `ClientFormat.writer`."""
        return ConverseWriter()


def _read_tools(asked: Request, config: dict[str, Any]) -> None:
    for given in shapes.objects(config.get("tools"), "toolConfig"):
        if "cachePoint" in given:
            if asked.tools:
                asked.tools[-1].cache = 300
            continue
        spec = shapes.mapping(given.get("toolSpec"), "toolConfig")
        schema = shapes.mapping(shapes.mapping(spec.get("inputSchema"), "toolConfig").get("json"), "toolConfig")
        asked.tools.append(
            Tool(
                shapes.text(spec.get("name"), "toolConfig"),
                shapes.text(spec.get("description"), "toolConfig"),
                schema,
                shapes.flag(spec.get("strict"), "toolConfig"),
            )
        )
    choice = shapes.mapping(config.get("toolChoice"), "toolConfig")
    if "tool" in choice:
        asked.tool_choice = "named"
        asked.tool_name = shapes.text(shapes.mapping(choice["tool"], "toolConfig").get("name"), "toolConfig")
    elif "any" in choice:
        asked.tool_choice = "required"
    elif "auto" in choice:
        asked.tool_choice = "auto"


def _read_output(asked: Request, config: dict[str, Any]) -> None:
    if effort := shapes.text(config.get("effort"), "outputConfig"):
        asked.effort = effort_named(effort) or ""
        if not asked.effort:
            raise RequestError('"effort" in the parameter "outputConfig" is none that is known.', param="outputConfig")
    form = shapes.mapping(config.get("textFormat"), "outputConfig")
    if not form:
        return
    structure = shapes.mapping(form.get("structure"), "outputConfig")
    wanted = shapes.mapping(structure.get("jsonSchema"), "outputConfig")
    try:
        schema = msgspec.json.decode(shapes.text(wanted.get("schema"), "outputConfig"), type=dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise RequestError('The schema in the parameter "outputConfig" is not JSON.', param="outputConfig") from None
    name, description = (shapes.text(wanted.get(key), "outputConfig") for key in ("name", "description"))
    asked.format = Format(schema, name, None, description)


def _read_fields(asked: Request, fields: dict[str, Any]) -> None:
    """Read what has a counterpart elsewhere of the fields that `parse` let through."""
    nested = shapes.mapping(fields.get("inferenceConfig"), FIELDS)
    top_k = (fields.get("top_k"), fields.get("k"), nested.get("topK"))
    asked.top_k = shapes.whole_number(next((value for value in top_k if value is not None), None), FIELDS)
    if effort := shapes.text(fields.get("reasoning_effort"), FIELDS):
        asked.effort = effort_named(effort) or ""
    thinking = shapes.mapping(fields.get("thinking"), FIELDS)
    if thinking:
        kind = thinking.get("type")
        if kind not in ("enabled", "adaptive", "disabled"):
            raise cannot(FIELDS, OTHERS, 'its "thinking" is "enabled", with a budget, "adaptive" or "disabled".')
        if kind == "adaptive":
            asked.effort = asked.effort or "high"  # Anthropic's default ("Effort")
        else:
            budget = shapes.whole_number(thinking.get("budget_tokens"), FIELDS)
            asked.thinking_tokens = budget if kind == "enabled" else 0
        asked.thoughts_wanted = kind != "disabled"
    if fields.get("reasoningConfig"):
        raise cannot(FIELDS, OTHERS, 'it has no "reasoningConfig". Leave it out.')


def _written(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return {"text": part.text} if part.text else None
    if isinstance(part, ToolCall):
        return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": input_of(part.arguments)}}
    if isinstance(part, Thinking):
        if part.redacted:
            if part.by != BY:
                return None
            return {"reasoningContent": {"redactedContent": part.redacted}}
        signed = {"signature": part.signature} if part.signature and part.by in SIGNERS else {}
        return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}
    return None
