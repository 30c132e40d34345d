"""What the gateway reads of a Converse request: how much that can cost at most, and what it must not hold."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateway.dialects import parameters
from gateway.dialects.bedrock import usage, wire
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.errors import RequestError
from gateway.types import ParsedRequest

T = TypeVar("T")

# What is known to cost nothing but tokens in and out at the model's price; others are refused.
ALLOWED = frozenset(
    {"messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "requestMetadata"}
    | {"additionalModelResponseFieldPaths", "performanceConfig", "serviceTier", "outputConfig"}
)
OUTSIDE = {
    "guardrailConfig": "Amazon bills guardrails apart, which is not metered. Leave it out.",
    "promptVariables": "prompts that are kept at Amazon cannot be seen here. Send the messages.",
}
NEW = "the gateway does not know what it costs. Leave it out."
FIELDS = frozenset({"top_k", "k", "thinking", "reasoning_effort", "reasoningConfig", "inferenceConfig"})
S3 = "Amazon would read it with the gateway's own rights. Send it inline, in base64."
INSTRUCTIONS_TOKENS = 2_000  # that vendors add for tools and output formats, and bill (see the Messages dialect)
MAX_BOUND = 1 << 40


def parse(members: Members, target: str, streamed: bool) -> ParsedRequest:
    """Read a request for the model `target`. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, ALLOWED)
    if not target or len(target) > parameters.MAX_MODEL_NAME or not target.isprintable():
        raise RequestError("The path must name a model: POST /model/{modelId}/converse.", param="modelId")
    parameters.required(members, "messages", "It is the conversation: a list of messages.")
    _refuse_unpriced(members)
    ttls: set[str | None] = set()
    bound, visible = _prompt_bound(members, ttls)
    return ParsedRequest(
        members=members,
        model=target,
        streamed=streamed,
        choices=1,
        output_cap=_cap(members),
        usage_wanted=True,
        prompt_bound=bound,
        window_bound=not visible,
        priced_unit=usage.HOUR if "1h" in ttls else "",
    )


def _cap(members: Members) -> int | None:
    given = _read(members, "inferenceConfig", wire.inference.decode)
    _nested(members.raw("inferenceConfig"), "inferenceConfig")
    cap = given.maxTokens if given is not None else None
    if cap is not None and not 1 <= cap <= MAX_BOUND:
        raise RequestError('The parameter "maxTokens" must be a whole number from 1 on.', param="inferenceConfig")
    return cap


def _prompt_bound(members: Members, ttls: set[str | None]) -> tuple[int, bool]:
    """Return (tokens, visible): a bound of the prompt, and whether all input could be seen; add to `ttls` what marks say.

    A token is at least a byte, so the body bounds its texts; an inline image has a flat bound instead of its size.
    """
    config = _read(members, "toolConfig", wire.tool_config.decode)
    tools = (config.tools if config is not None else None) or []
    for tool in tools:
        if tool.systemTool:
            raise parameters.unsupported(
                "toolConfig", "tools that Amazon runs itself are billed apart, which is not metered. Send toolSpec."
            )
        _check_cache(tool.cachePoint, ttls)
    _content_bound(_read(members, "system", wire.blocks.decode), "system", ttls)
    tokens, visible = len(members.body), True
    tokens += INSTRUCTIONS_TOKENS if tools or "outputConfig" in members else 0
    for message in _read(members, "messages", wire.messages.decode) or []:
        added, seen = _content_bound(message.content, "messages", ttls)
        tokens, visible = tokens + added, visible and seen
    return tokens, visible


def _content_bound(blocks: list[wire.Block] | None, param: str, ttls: set[str | None]) -> tuple[int, bool]:
    """Return what is to be added for content beyond its bytes, and whether all of it can be seen."""
    tokens, visible = 0, True
    for block in blocks or ():
        _check_cache(block.cachePoint, ttls)
        if block.video or block.audio:
            raise parameters.unsupported(param, "film and sound have prices of their own, which are not metered.")
        for media in (block.image, block.document):
            if media is not None and media.source is not None and media.source.s3Location:
                raise parameters.unsupported(param, S3)
        if block.image is not None:
            inline = len(memoryview(block.image.source.bytes)) if block.image.source is not None else 0
            tokens += IMAGE_TOKENS - inline
        if block.document is not None:
            visible = visible and block.document.source is not None and not block.document.source.bytes
        if block.toolResult is not None:
            added, seen = _content_bound(block.toolResult.content, param, ttls)
            tokens, visible = tokens + added, visible and seen
    return tokens, visible


def _check_cache(mark: wire.Mark | None, ttls: set[str | None]) -> None:
    if mark is None:
        return
    if mark.ttl not in (None, "5m", "1h"):
        raise parameters.unsupported("cachePoint", "that long in the cache has no known price. Leave ttl out.")
    ttls.add(mark.ttl)


def _refuse_unpriced(members: Members) -> None:
    """Refuse what is billed by other meters than tokens in and out; nothing is ever served for nothing."""
    for name in members.spans.keys() - ALLOWED:
        if members.raw(name) != b"null":
            raise parameters.unsupported(name, OUTSIDE.get(name, NEW))
    tier = _read(members, "serviceTier", wire.typed.decode)
    if tier is not None and tier.type not in (None, "default", "flex"):
        raise parameters.unsupported("serviceTier", "other tiers have prices of their own. Leave it out.")
    speed = _read(members, "performanceConfig", wire.typed.decode)
    if speed is not None and speed.latency not in (None, "standard"):
        raise parameters.unsupported("performanceConfig", "optimised latency has a price of its own. Leave it out.")
    fields = _nested(members.raw("additionalModelRequestFields"), "additionalModelRequestFields")
    for name in fields.spans if fields is not None else ():
        nested = _nested(fields.raw(name), name) if fields is not None and name == "inferenceConfig" else None
        if name not in FIELDS or (nested is not None and not nested.spans.keys() <= {"topK"}):
            raise parameters.unsupported(
                "additionalModelRequestFields",
                f"it may hold {', '.join(sorted(FIELDS))} (inferenceConfig: topK alone). Others may cost more than is "
                "reserved.",
            )


def _nested(raw: bytes | None, name: str) -> Members | None:
    """Return the members of a parameter that is an object; one that names a member twice is refused."""
    return None if raw is None or raw == b"null" else Members(raw, f'The parameter "{name}"')


def _read(members: Members, name: str, decode: Callable[[bytes], T]) -> T | None:
    raw = members.raw(name)
    return None if raw is None else _decoded(decode, raw, name)


def _decoded(decode: Callable[[bytes], T], raw: bytes, name: str) -> T:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(f'The parameter "{name}" is not of the documented shape.', param=name) from None
