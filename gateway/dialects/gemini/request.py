"""Gemini's generateContent: what the gateway reads of a request before it knows where it goes.

Source of names: Google's API discovery documents (generativelanguage v1beta, aiplatform v1).
"""

from typing import Any

import msgspec
from msgspec import structs

from gateway.dialects import parameters
from gateway.dialects.gemini.fields import field, folded, many, members_of, spelled
from gateway.dialects.gemini.media import bound_of
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import INSTRUCTIONS_TOKENS
from gateway.errors import RequestError
from gateway.tokens import FUNCTION_TOKENS, MESSAGE_TOKENS, REPLY_TOKENS, Countable
from gateway.types import ParsedRequest

MAX_CHOICES = 128
OUTSIDE = {  # leads around the model's own price, or around what a caller may see
    "cachedContent": "cached content belongs to the provider's account, which all callers share here. Send it in full.",
    "continuationToken": "it stands for a prompt that is not visible here. Send the conversation in full.",
    "outputConfig": "it has the provider write to addresses of the caller's. Leave it out.",
    "modelArmorConfig": "it names templates of the provider's account. Leave it out.",
}
OUTSIDE_CONFIG = {
    "speechConfig": "only text is metered. Leave it out.",
    "imageConfig": "only text is metered. Leave it out.",
    "routingConfig": "it lets another model answer, at another price. Name the model to call.",
    "modelConfig": "it lets another model answer, at another price. Name the model to call.",
    "modelSelectionConfig": "it lets another model answer, at another price. Name the model to call.",
}
_TOP = folded(
    *OUTSIDE, "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "model",
    "safetySettings",
)  # fmt: skip
_SHAPES = ("responseMimeType", "responseSchema", "responseJsonSchema")
_CONFIG = folded(*OUTSIDE_CONFIG, "maxOutputTokens", "candidateCount", "responseModalities", "responseFormat", *_SHAPES)
_FUNCTIONS = {"functionDeclarations", "function_declarations"}
_TEXT = ("TEXT", ["TEXT"], "text", ["text"])
_TIERS = ("", "standard", "flex", "unspecified", "service_tier_unspecified")
_OWN_TOOLS = "tools that the provider runs itself are billed apart, which is not metered. Send functionDeclarations."
_MODALITIES = "only text is metered. Leave it out, or ask for text alone."


def parse_stream(members: Members, target: str) -> ParsedRequest:
    """Read a request to stream, as `parse` does."""
    return structs.replace(parse(members, target), streamed=True)


def parse(members: Members, target: str) -> ParsedRequest:
    """Read a request; `target` is the model's slug, from the path. Raises RequestError that names the parameter."""
    model = model_of(target)
    names = spelled(members.spans, _TOP)
    parameters.required(members, names.get("contents", "contents"), "It is the conversation: a list of contents.")
    for name in OUTSIDE.keys() & names.keys():
        _refuse(members, names[name], name, OUTSIDE[name])
    tier = parameters.value(members, names.get("serviceTier", "serviceTier"))
    if tier is not None and (not isinstance(tier, str) or tier.lower() not in _TIERS):
        raise parameters.unsupported("serviceTier", "other tiers have prices of their own. Leave it out.")
    for tool in many(parameters.value(members, names.get("tools", "tools"))):
        if not tool.keys() <= _FUNCTIONS:
            raise parameters.unsupported("tools", _OWN_TOOLS)
    choices, cap = _read_config(members, names)
    contents = many(parameters.value(members, names["contents"]))
    contents += many(parameters.value(members, names.get("systemInstruction", "systemInstruction")))
    bound, visible = bound_of(contents, len(members.body))
    instructed = "tools" in names or _shaped(members, names)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=False,
        choices=choices,
        output_cap=cap,
        usage_wanted=True,
        prompt_bound=bound + (INSTRUCTIONS_TOKENS if instructed else 0),
        window_bound=not visible,
    )


def parse_count(members: Members, target: str) -> ParsedRequest:
    """Read a request of which only the tokens are to be counted: contents, or a whole request to generate."""
    read = parse(counted_part(members)[1], target)
    return structs.replace(read, members=members, output_cap=0, choices=1)


def counted_part(members: Members) -> tuple[str, Members]:
    """Return what is to be counted, and the name under which it stands: "" where that is the whole body."""
    name = spelled(members.spans, folded("generateContentRequest")).get("generateContentRequest", "")
    inner = members_of(members, name, "generateContentRequest") if name else None
    return ("", members) if inner is None else (name, inner)


def counted(tokens: int) -> bytes:
    """Write the answer to a request to count."""
    return msgspec.json.encode({"totalTokens": tokens})


def model_of(target: str) -> str:
    """Return the model's slug from the rest of the path."""
    if not target or len(target) > parameters.MAX_MODEL_NAME or not target.isprintable():
        raise RequestError(
            f"The model in the path must be a name of 1 to {parameters.MAX_MODEL_NAME} printable characters.",
            param="model",
        )
    return target


def config_of(members: Members) -> tuple[str, Members | None]:
    """Return how a request spells its generationConfig, and its members."""
    name = spelled(members.spans, folded("generationConfig")).get("generationConfig", "generationConfig")
    return name, members_of(members, name, "generationConfig")


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    body: dict[str, Any] = msgspec.json.decode(counted_part(request.members)[1].body, type=dict)
    texts: list[str] = []
    overhead, complete = REPLY_TOKENS, True
    system = field(body, "systemInstruction")
    for content in (*([system] if isinstance(system, dict) else []), *many(body.get("contents"))):
        overhead += MESSAGE_TOKENS
        for part in many(content.get("parts")):
            complete &= _add_texts(part, texts)
    for tool in many(body.get("tools")):
        for declared in many(field(tool, "functionDeclarations")):
            texts.append(_written(declared))
            overhead += FUNCTION_TOKENS
    return Countable(tuple(texts), overhead, complete)


def _add_texts(part: dict[str, Any], texts: list[str]) -> bool:
    """Add a part's texts; say whether that is all that it holds."""
    text = part.get("text")
    if isinstance(text, str):
        texts.append(text)
        return True
    held = field(part, "functionCall") or field(part, "functionResponse")
    if held is not None:
        texts.append(_written(held))
    return held is not None


def _read_config(members: Members, names: dict[str, str]) -> tuple[int, int | None]:
    """Return how many answers are asked for, and the cap of each."""
    config = members_of(members, names.get("generationConfig", "generationConfig"), "generationConfig")
    if config is None:
        return 1, None
    given = spelled(config.spans, _CONFIG)
    for name in OUTSIDE_CONFIG.keys() & given.keys():
        _refuse(config, given[name], name, OUTSIDE_CONFIG[name])
    modalities = parameters.value(config, given.get("responseModalities", "responseModalities"))
    if modalities and modalities not in _TEXT:
        raise parameters.unsupported("responseModalities", _MODALITIES)
    formats = parameters.value(config, given.get("responseFormat", "responseFormat"))
    if any(one.keys() != {"text"} for one in many(formats)):
        raise parameters.unsupported("responseFormat", _MODALITIES)
    choices = parameters.count(config, given.get("candidateCount", "candidateCount"), MAX_CHOICES)
    return choices or 1, parameters.count(config, given.get("maxOutputTokens", "maxOutputTokens"))


def _shaped(members: Members, names: dict[str, str]) -> bool:
    """Say whether the answer is to be of a format."""
    config = members_of(members, names.get("generationConfig", "generationConfig"), "generationConfig")
    given = spelled(config.spans, _CONFIG) if config is not None else {}
    return any(name in given for name in (*_SHAPES, "responseFormat"))


def _refuse(members: Members, name: str, meant: str, why: str) -> None:
    if members.raw(name) != b"null":
        raise parameters.unsupported(meant, why)


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode()
