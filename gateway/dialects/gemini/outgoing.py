"""The canonical form, written as a Gemini request.

Passed over, since no answer depends on them: marks of caching (Gemini caches by itself), the user, `detail` of images,
names of formats, and thought that another dialect's model made.
"""

import re
from base64 import b64encode
from mimetypes import guess_type
from typing import Any

import msgspec

from gateway.dialects.canonical import Media, Part, Request, Text, Thinking, Tool, ToolCall, ToolResult, cannot
from gateway.dialects.efforts import BUDGETS
from gateway.dialects.gemini.answers import arguments_of
from gateway.dialects.gemini.media import check_address, check_kind
from gateway.dialects.gemini.schema import for_gemini
from gateway.errors import RequestError

WHO = "Gemini's API"
# What Gemini 3 takes where a call that it did not make, or whose signature was lost, stands in the conversation
# (ai.google.dev/gemini-api/docs/thought-signatures).
UNSIGNED = "skip_thought_signature_validator"
MOST_BUDGET = 24_576  # of Gemini 2.5's models, 2.5 Flash takes the least (ai.google.dev/gemini-api/docs/thinking)
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}  # beyond, Gemini knows HIGH alone
_VERSION = re.compile(r"gemini-(\d+)")
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def write_request(request: Request, model: str, cap: int) -> bytes:
    """Write a request for `model`, as the provider names it. `cap` is our cap of the output, 0 for none.

    Raises RequestError for what Gemini cannot be told.
    """
    body: dict[str, Any] = {"contents": _contents(request, signed=_by_levels(model))}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": one.text} for one in request.system]}
    if request.tools:
        if request.parallel_tools is False:
            raise cannot("parallel_tool_calls", WHO, "it may always call several tools at once. Leave it out.")
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
        config = _calling(request)
        if config:
            body["toolConfig"] = {"functionCallingConfig": config}
    config = _config(request, model, cap)
    if config:
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _contents(request: Request, *, signed: bool) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    contents = []
    for message in request.messages:
        parts = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            made = _part(part, names, signed=signed)
            if made is not None:
                parts.append(made)
        if parts:
            contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    return contents


def _part(part: Part, names: dict[str, str], *, signed: bool) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return {"text": part.text} if part.text else None
    if isinstance(part, Thinking):
        if part.by != "gemini" or not part.text:
            return None
        return {"text": part.text, "thought": True} | ({"thoughtSignature": part.signature} if part.signature else {})
    if isinstance(part, ToolCall):
        return _call(part, signed=signed)
    if isinstance(part, ToolResult):
        return _result(part, names)
    return _media(part)


def _call(call: ToolCall, *, signed: bool) -> dict[str, Any]:
    arguments = arguments_of(call.arguments)
    if arguments is None:
        raise cannot("messages", WHO, f'the arguments of the call of "{call.name[:60]}" are not a JSON object.')
    signature = call.signature or (UNSIGNED if signed else "")
    made: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": arguments}}
    return made | ({"thoughtSignature": signature} if signature else {})


def _result(result: ToolResult, names: dict[str, str]) -> dict[str, Any]:
    name = result.name or names.get(result.id, "")
    if not name:
        raise RequestError(
            f'The result of the tool call "{result.id[:60]}" answers no call before it. Send the whole conversation.',
            param="messages",
        )
    words = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    media = [_media(part) for part in result.parts if isinstance(part, Media)]
    response: dict[str, Any] = {
        "id": result.id,
        "name": name,
        "response": {"error" if result.failed else "output": words},
    }
    return {"functionResponse": response | ({"parts": media} if media else {})}


def _media(media: Media) -> dict[str, Any]:
    """Write a medium. What another dialect calls it does not matter: the same is refused as of Gemini's own clients."""
    if media.text:
        data, kind = b64encode(media.text.encode()).decode(), media.media_type or "text/plain"
        check_kind(kind.lower(), "messages")
        return {"inlineData": {"mimeType": kind, "data": data}}
    kind = (media.media_type or guess_type(media.url)[0] or "").lower()
    if not kind:
        raise cannot("messages", WHO, f"it must know the media type of {media.kind} data. Send the data inline.")
    check_kind(kind, "messages")
    if media.url:
        check_address(media.url, "messages")
        return {"fileData": {"mimeType": kind, "fileUri": media.url}}
    return {"inlineData": {"mimeType": kind, "data": media.data}}


def _tool(tool: Tool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if tool.schema.get("properties") or tool.schema.keys() - {"type", "properties"}:
        made["parametersJsonSchema"] = for_gemini(tool.schema)
    return made


def _calling(request: Request) -> dict[str, Any]:
    """Return the functionCallingConfig. Arguments that must keep to their schema are what VALIDATED promises."""
    mode = _MODES.get(request.tool_choice, "")
    if mode in {"", "AUTO"} and any(tool.strict for tool in request.tools):
        mode = "VALIDATED"
    if not mode:
        return {}
    return {"mode": mode} | ({"allowedFunctionNames": [request.tool_name]} if request.tool_choice == "named" else {})


def _config(request: Request, model: str, cap: int) -> dict[str, Any]:
    said: dict[str, Any] = {
        "maxOutputTokens": request.max_output_tokens or cap or None,
        "candidateCount": request.choices if request.choices > 1 else None,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": request.stop or None,
        "seed": request.seed,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "responseLogprobs": request.logprobs or None,
        "logprobs": request.top_logprobs if request.logprobs else None,
        "thinkingConfig": _thinking(request, model) or None,
    }
    if request.format is not None:
        said["responseMimeType"] = "application/json"
        if request.format.schema is not None:
            said["responseJsonSchema"] = for_gemini(request.format.schema)
    return {name: value for name, value in said.items() if value is not None}


def _thinking(request: Request, model: str) -> dict[str, Any]:
    config: dict[str, Any] = {"includeThoughts": True} if request.thoughts_wanted else {}
    if request.thinking_tokens is not None:
        config["thinkingBudget"] = request.thinking_tokens
    elif request.effort == "none":
        config["thinkingBudget"] = 0
    elif request.effort and _by_levels(model):
        config["thinkingLevel"] = _LEVELS.get(request.effort, "HIGH")
    elif request.effort:
        config["thinkingBudget"] = min(BUDGETS[request.effort], MOST_BUDGET)
    return config


def _by_levels(model: str) -> bool:
    """Say whether a model is Gemini 3 or later: it thinks by levels, and wants its calls signed."""
    version = _VERSION.search(model)
    return version is None or int(version[1]) >= 3
