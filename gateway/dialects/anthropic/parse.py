"""What the gateway reads of a Messages request: who is to answer, and how much that can cost at most."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateway.dialects import parameters
from gateway.dialects.anthropic import usage, wire
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import IMAGE_TOKENS, INSTRUCTIONS_TOKENS
from gateway.errors import RequestError
from gateway.types import ParsedRequest

T = TypeVar("T")

HOUR = "1h"

# What is known to cost nothing but tokens in and out at the model's price. Others are refused: a new parameter may
# name another model, run something at the provider, or have a price of its own.
ALLOWED = frozenset(
    {"model", "messages", "max_tokens", "system", "stream", "stop_sequences", "temperature", "top_p", "top_k"}
    | {"tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier"}
    | {"cache_control", "context_management", "diagnostics", "speed", "inference_geo"}
)
OUTSIDE = {
    "mcp_servers": "it lets the provider call tools itself, which is not metered. Leave it out.",
    "container": "it lets the provider run code, which is billed apart and not metered. Leave it out.",
    "fallbacks": "it names other models to fall back on, which this key may not be allowed. Name one model.",
    "compaction": "the provider bills what it summarises apart, which is not metered. Leave it out.",
}
NEW = "the gateway does not know what it costs. Leave it out."
VALUES = {  # parameters of which only these values are at the model's own price
    "service_tier": ({None, "auto", "standard_only"}, "other tiers have prices of their own. Leave it out."),
    "speed": ({None, "standard"}, "the fast mode has prices of its own. Leave it out."),
    "inference_geo": ({None, "global"}, "a region costs extra, which is not metered. Leave it out."),
}
CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_", "browser_")  # run by who calls
TOOLS_OUTSIDE = "tools that the provider runs itself are billed apart, which is not metered. Send tools that you run."
CACHES = (None, "5m", HOUR)
FILES = (
    "files stored at Anthropic belong to the provider's account, which all callers share here. Send the data inline."
)
SOURCES = ("base64", "url", "text", "content")
EDITS = ("clear_",)  # these only shorten the prompt

# The definition of each of Anthropic's own tools counts, too (toolsets have a few dozen).
BUILT_IN_TOKENS = 15_000


def parse(members: Members) -> ParsedRequest:
    """Read a request for an answer. Raises RequestError that names the parameter."""
    parameters.required(members, "max_tokens", "It is the most tokens that the answer may have.")
    return _parsed(members, parameters.count(members, "max_tokens"))


def parse_named(members: Members, model: str, streamed: bool, beside: frozenset[str]) -> ParsedRequest:
    """Read a request whose model, and whether it streams, stand in its path. `beside`: members that it has instead.

    Raises RequestError that names the parameter.
    """
    for name in ("model", "stream"):
        if name in members:
            raise parameters.unsupported(name, "the path says it here. Leave it out.")
    parameters.required(members, "max_tokens", "It is the most tokens that the answer may have.")
    return _read_whole(members, parameters.count(members, "max_tokens"), model, streamed, ALLOWED | beside)


def parse_count(members: Members) -> ParsedRequest:
    """Read a request to count a prompt: nothing of it is ever charged. Raises RequestError that names the parameter."""
    if "stream" in members:
        raise parameters.unsupported("stream", "a count comes in one piece. Leave it out.")
    request = _parsed(members, 0)
    return msgspec.structs.replace(request, prompt_bound=0, window_bound=False)


def _parsed(members: Members, cap: int | None) -> ParsedRequest:
    return _read_whole(members, cap, parameters.model_name(members), parameters.flag(members, "stream"), ALLOWED)


def _read_whole(members: Members, cap: int | None, model: str, streamed: bool, names: frozenset[str]) -> ParsedRequest:
    parameters.plainly_named(members, names)
    parameters.required(members, "messages", "It is the conversation: a list of messages.")
    _refuse_unpriced(members, names)
    ttls: set[str | None] = set()
    bound, visible = _prompt_bound(members, ttls)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=streamed,
        choices=1,
        output_cap=cap,
        usage_wanted=True,
        prompt_bound=bound,
        window_bound=not visible,
        priced_unit=usage.HOUR if HOUR in ttls else "",
    )


def _prompt_bound(members: Members, ttls: set[str | None]) -> tuple[int, bool]:
    """Return (tokens, visible): a bound of the prompt, and whether all input could be seen; add to `ttls` what marks say.

    A token is at least a byte, so the body bounds its texts; an image that is sent inline has a flat bound instead of
    its size. Raises RequestError for what is not metered, and where the shape hides whether it is.
    """
    tokens, visible = len(members.body), True
    tools = _read(members, "tools", wire.tools.decode) or []
    for tool in tools:
        if not (tool.type or "custom").startswith(CLIENT_TOOLS):
            raise parameters.unsupported("tools", TOOLS_OUTSIDE)
        _check_cache(tool.cache_control, ttls)
    built_in = sum(tool.type not in (None, "custom") for tool in tools)
    shaped = "output_config" in members or "output_format" in members
    tokens += BUILT_IN_TOKENS * built_in + (INSTRUCTIONS_TOKENS if tools or shaped else 0)
    _check_cache(_read(members, "cache_control", wire.cache.decode), ttls)
    system = members.raw("system")
    if system is not None and system[:1] == b"[":
        for block in _read(members, "system", wire.blocks.decode) or []:
            _check_cache(block.cache_control, ttls)
    for message in _read(members, "messages", wire.messages.decode) or []:
        added, seen = _content_bound(message.content, ttls)
        tokens, visible = tokens + added, visible and seen
    return tokens, visible


def _content_bound(content: msgspec.Raw, ttls: set[str | None]) -> tuple[int, bool]:
    """Return what is to be added for content beyond its bytes, and whether all of it can be seen."""
    if bytes(memoryview(content)[:1]) != b"[":
        return 0, True
    try:
        blocks = wire.blocks.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong("messages") from None
    tokens, visible = 0, True
    for block in blocks:
        _check_cache(block.cache_control, ttls)
        added, seen = _block_bound(block, ttls)
        tokens, visible = tokens + added, visible and seen
    return tokens, visible


def _block_bound(block: wire.Block, ttls: set[str | None]) -> tuple[int, bool]:
    if block.type in ("image", "document"):
        source = _source(block.source)
        if source is not None and source.type not in SOURCES:
            raise parameters.unsupported("messages", FILES)
        if block.type == "image":
            inline = source is not None and source.type == "base64"
            return (IMAGE_TOKENS - len(memoryview(source.data)), True) if source and inline else (0, False)
        if source is None or source.type not in ("text", "content"):
            return 0, False  # pages count as images, too
        return _content_bound(source.content, ttls)
    if block.type == "container_upload":
        raise parameters.unsupported("messages", FILES)
    added, seen = _content_bound(block.content, ttls)
    known = ("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result")
    return added, seen and block.type in known


def _source(raw: msgspec.Raw) -> wire.Source | None:
    try:
        source: wire.Source | None = wire.sources.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong("messages") from None
    return source


def _check_cache(mark: wire.Cache | None, ttls: set[str | None]) -> None:
    if mark is None:
        return
    if mark.ttl not in CACHES:
        raise parameters.unsupported("cache_control", "that long in the cache has no known price. Leave ttl out.")
    ttls.add(mark.ttl)


def _read(members: Members, name: str, decode: Callable[[bytes], T]) -> T | None:
    raw = members.raw(name)
    if raw is None or raw == b"null":
        return None
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong(name) from None


def _wrong(name: str) -> RequestError:
    return RequestError(f'The parameter "{name}" is not of the documented shape.', param=name)


def _refuse_unpriced(members: Members, names: frozenset[str]) -> None:
    """Refuse what a provider bills by other meters than tokens in and out; nothing is ever served for nothing."""
    for name in members.spans.keys() - names:
        if members.raw(name) != b"null":
            raise parameters.unsupported(name, OUTSIDE.get(name, NEW))
    for name, (values, why) in VALUES.items():
        given = parameters.value(members, name)
        if not isinstance(given, str | None) or given not in values:
            raise parameters.unsupported(name, why)
    managed = _read(members, "context_management", wire.management.decode)
    if managed is not None and not all(edit.type.startswith(EDITS) for edit in managed.edits or ()):
        raise parameters.unsupported("context_management", OUTSIDE["compaction"])
