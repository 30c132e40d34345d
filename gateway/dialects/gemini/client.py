"""A client's Gemini request, read into the canonical form."""

from typing import Any

from gateway.dialects.canonical import Format, Request, Tool
from gateway.dialects.efforts import effort_named
from gateway.dialects.gemini.contents import Reading, allowed_names, system_of
from gateway.dialects.gemini.fields import field, many
from gateway.dialects.gemini.schema import json_schema
from gateway.dialects.parameters import unsupported
from gateway.dialects.shapes import decoded, flag, mapping, number, text, texts, whole_number
from gateway.errors import RequestError
from gateway.types import ParsedRequest

_CONFIG = {  # what is read below; mediaResolution is a hint
    "temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "candidateCount", "responseMimeType",
    "responseSchema", "responseJsonSchema", "responseFormat", "seed", "presencePenalty", "frequencyPenalty",
    "responseLogprobs", "logprobs", "thinkingConfig", "responseModalities", "mediaResolution",
}  # fmt: skip
_FOLDED = {name.lower() for name in _CONFIG}
_UNGUARDED = ("BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED")
_WHO = "the provider of this model does not know it."


def read(request: ParsedRequest) -> Request:
    """Read a request whole. Raises RequestError for what the canonical form cannot hold.

    `labels`, `store`, the tier of service, `mediaResolution` and signatures of text are passed over: no answer depends
    on them. So are safety settings that ask for no filter.
    """
    body = decoded(request)
    for setting in many(field(body, "safetySettings")):
        if setting.get("threshold") not in _UNGUARDED:
            raise unsupported(
                "safetySettings", "filters of Google's are not to be had from the provider of this model."
            )
    made = Request(
        model=request.model,
        messages=Reading().messages(body.get("contents")),
        system=system_of(field(body, "systemInstruction")),
        streamed=request.streamed,
        max_output_tokens=request.output_cap,
        choices=request.choices,
        tools=[_tool(one) for tool in many(body.get("tools")) for one in many(field(tool, "functionDeclarations"))],
    )
    _read_choice(mapping(field(body, "toolConfig"), "toolConfig"), made)
    _read_config(mapping(field(body, "generationConfig"), "generationConfig"), made)
    return made


def _tool(declared: dict[str, Any]) -> Tool:
    if field(declared, "behavior") not in {None, "BLOCKING", "UNSPECIFIED"}:
        raise unsupported("tools", "functions that do not block are for live sessions.")
    whole = field(declared, "parametersJsonSchema")
    schema = mapping(whole, "tools") if whole is not None else json_schema(declared.get("parameters"))
    return Tool(
        text(declared.get("name"), "tools"),
        text(declared.get("description"), "tools"),
        schema or {"type": "object", "properties": {}},
    )


def _read_choice(tool_config: dict[str, Any], made: Request) -> None:
    config = mapping(field(tool_config, "functionCallingConfig"), "toolConfig")
    mode, names = text(config.get("mode"), "toolConfig").upper(), allowed_names(config)
    if mode in {"AUTO", "NONE"}:
        made.tool_choice = "auto" if mode == "AUTO" else "none"
    elif mode == "ANY":
        made.tool_choice = "required"
        if len(names) == 1:
            made.tool_choice, made.tool_name = "named", names[0]
        elif names:
            made.tools = [tool for tool in made.tools if tool.name in names]
    elif mode not in {"", "MODE_UNSPECIFIED"}:
        raise unsupported("toolConfig", f'the mode "{mode[:40]}" cannot be said to this model. Use AUTO, ANY or NONE.')


def _read_config(config: dict[str, Any], made: Request) -> None:
    for name, value in config.items():
        if value is not None and name.replace("_", "").lower() not in _FOLDED:
            raise unsupported(name[:60], _WHO)

    def given(name: str) -> Any:
        return field(config, name)

    made.temperature = number(given("temperature"), "temperature")
    made.top_p = number(given("topP"), "topP")
    made.top_k = whole_number(_whole(given("topK")), "topK")
    made.stop = texts(given("stopSequences"), "stopSequences")
    made.seed = whole_number(given("seed"), "seed")
    made.presence_penalty = number(given("presencePenalty"), "presencePenalty")
    made.frequency_penalty = number(given("frequencyPenalty"), "frequencyPenalty")
    made.logprobs = flag(given("responseLogprobs"), "responseLogprobs") or False
    made.top_logprobs = whole_number(given("logprobs"), "logprobs")
    made.format = _format(given)
    _read_thinking(mapping(given("thinkingConfig"), "thinkingConfig"), made)


def _whole(value: object) -> object:
    """Return a number without its fraction of nothing: Google's own clients send top_k as 40.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _format(given: Any) -> Format | None:
    for one in many(given("responseFormat")):
        shape = mapping(one.get("text"), "responseFormat")
        kind = text(field(shape, "mimeType"), "responseFormat").upper()
        if kind == "APPLICATION_JSON":
            return Format(mapping(shape["schema"], "responseFormat") if shape.get("schema") is not None else None)
    kind = text(given("responseMimeType"), "responseMimeType")
    if kind in {"", "text/plain"}:
        return None
    if kind != "application/json":
        raise unsupported("responseMimeType", f'"{kind[:60]}" cannot be said to this model. Use application/json.')
    whole, own = given("responseJsonSchema"), given("responseSchema")
    if whole is not None and own is not None:
        raise RequestError("Send responseSchema or responseJsonSchema, not both.", param="responseSchema")
    if whole is not None:
        return Format(mapping(whole, "responseJsonSchema"))
    return Format(json_schema(mapping(own, "responseSchema")) if own is not None else None)


def _read_thinking(config: dict[str, Any], made: Request) -> None:
    budget = whole_number(field(config, "thinkingBudget"), "thinkingConfig")
    level = text(field(config, "thinkingLevel"), "thinkingConfig").lower()
    made.thoughts_wanted = flag(field(config, "includeThoughts"), "thinkingConfig") or False
    if budget is not None and budget >= 0:  # -1: as the model sees fit
        made.thinking_tokens = budget
    effort = effort_named(level)
    if effort is not None:
        made.effort = effort
    elif level not in {"", "thinking_level_unspecified"}:
        raise unsupported("thinkingConfig", f'there is no thinkingLevel "{level[:40]}".')


def thoughts_wanted(request: ParsedRequest) -> bool:
    """Say whether a client wants to read thought: Gemini shows none that was not asked for."""
    config = field(decoded(request), "generationConfig")
    thinking = field(config, "thinkingConfig") if isinstance(config, dict) else None
    return isinstance(thinking, dict) and field(thinking, "includeThoughts") is True
