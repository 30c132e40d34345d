"""What the gateway reads of a Responses request: who is to answer, and how much that can cost at most."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_chat import TIERS
from gateway.dialects.openai_prompt import IMAGE_TOKENS, INSTRUCTIONS_TOKENS, SMALL_IMAGE_TOKENS
from gateway.dialects.responses import wire
from gateway.errors import RequestError
from gateway.kept.records import Wish
from gateway.types import ParsedRequest

T = TypeVar("T")

# What is known to cost nothing but tokens in and out at the model's price. Others are refused: a new parameter may
# name another model, run something at the provider, or have a price of its own.
ALLOWED = frozenset(
    {"model", "input", "instructions", "max_output_tokens", "stream", "stream_options", "tools", "tool_choice"}
    | {"parallel_tool_calls", "max_tool_calls", "text", "reasoning", "include", "temperature", "top_p", "top_logprobs"}
    | {"truncation", "store", "metadata", "client_metadata", "user", "safety_identifier", "service_tier"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "previous_response_id", "background"}
)
KEPT = "what is stored at the provider belongs to its account, which all callers share here. "
OUTSIDE = {
    "conversation": KEPT + "Go on from an earlier response by previous_response_id, or send the conversation as input.",
    "prompt": "a stored prompt may hold tools that are billed apart and not seen here. Send its text as instructions.",
    "context_management": "the provider bills what it summarises apart, which is not metered. Leave it out.",
}
MOST_NAMED = 2_000  # ids in one call: each is looked up
LONGEST_ID = 200  # characters; nothing that is longer was ever kept
NEW = "the gateway does not know what it costs. Leave it out."
_NOTHING = frozenset({None, b"null", b"false"})

FREE_TEXT = frozenset({None, "function", "custom", "namespace"})
BUILT_IN = frozenset({"local_shell", "apply_patch", "tool_search", "computer", "computer_use_preview"})
TOOLS_OUTSIDE = "is run by the provider and billed apart, which is not metered. Send tools that you run."
SEARCH_OUTSIDE = TOOLS_OUTSIDE + ' (Codex: set web_search = "disabled" in config.toml.)'
BUILT_IN_TOKENS = 15_000  # their definitions are the provider's: not published, generous

_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call")
VISIBLE = frozenset({None, "message", "reasoning", "tool_search_call", "tool_search_output", *_CALLS}) | {
    f"{call}_output" for call in _CALLS
}
# What only the provider can read; the calls are of its own tools, from earlier answers.
UNSEEN = frozenset(
    {"compaction", "computer_call", "computer_call_output", "web_search_call", "file_search_call"}
    | {"code_interpreter_call", "mcp_call", "mcp_list_tools"}
)
TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "reasoning_text", "summary_text"})


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, ALLOWED)
    model = parameters.model_name(members)
    parameters.required(members, "input", "It is the conversation: a text, or a list of items.")
    _refuse_unpriced(members)
    bound, visible, named = prompt_bound(members)
    wish = _wish(members, named)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=parameters.flag(members, "stream"),
        choices=1,
        output_cap=parameters.count(members, "max_output_tokens"),
        usage_wanted=True,
        prompt_bound=bound,
        window_bound=not visible,
        kept=None if wish.store is False and not wish.refers else wish,
    )


def _wish(members: Members, named: "_Named") -> Wish:
    """Return what the request says of keeping. Nothing is looked up here."""
    background = parameters.flag(members, "background")
    store = parameters.flag(members, "store") if parameters.value(members, "store") is not None else None
    previous = parameters.value(members, "previous_response_id")
    if previous is not None and not (isinstance(previous, str) and 0 < len(previous) <= LONGEST_ID):
        raise RequestError('The parameter "previous_response_id" must be an id.', param="previous_response_id")
    if background and store is False:
        raise RequestError(
            'A call with "background" has to be kept until it is fetched: leave "store": false out.', param="store"
        )
    return Wish(
        store, background, previous or "", tuple(named.items), tuple(named.thoughts), tuple(dict.fromkeys(named.files))
    )


class _Named:
    """What an input names that is kept elsewhere, by id."""

    __slots__ = ("files", "items", "thoughts")

    def __init__(self) -> None:
        self.files: list[str] = []
        self.items: list[str] = []
        self.thoughts: list[str] = []


def prompt_bound(members: Members) -> tuple[int, bool, _Named]:
    """Return (tokens, visible, named): a bound of the prompt, whether all input could be seen, and what is kept elsewhere.

    A token is at least a byte, so the body bounds its texts; an image that is sent inline has a flat bound instead of
    its size; what is named is not counted. Raises RequestError for what is not metered, and where the shape hides it.
    """
    tokens, visible, named = len(members.body), True, _Named()
    tools = _read(members, "tools", wire.tools.decode) or []
    tokens += BUILT_IN_TOKENS * _built_in(tools) + (INSTRUCTIONS_TOKENS if tools or "text" in members else 0)
    raw = members.raw("input") or b"null"
    if raw[:1] == b'"':
        return tokens, visible, named
    for item in _read(members, "input", wire.items.decode) or []:
        if item.type == "item_reference" or (item.type is None and item.role is None):
            if not item.id:
                raise RequestError(
                    'The parameter "input" has an item that neither says nor names anything.', param="input"
                )
            named.items.append(item.id[:LONGEST_ID])
        elif item.type in UNSEEN:
            visible = False
        elif item.type == "reasoning" and item.id and not item.encrypted_content:
            named.thoughts.append(item.id[:LONGEST_ID])
        elif item.type == "image_generation_call":
            raise parameters.unsupported("input", KEPT + "Send the image itself.")
        elif item.type not in VISIBLE:
            raise parameters.unsupported("input", f"of items of the type {str(item.type)[:40]!r} {NEW}")
        tokens += BUILT_IN_TOKENS * _built_in(item.tools or [])
        for content in (item.content, item.output):
            added, seen = _content_bound(content, named)
            tokens, visible = tokens + added, visible and seen
    if len(named.items) + len(named.thoughts) + len(named.files) > MOST_NAMED:
        raise RequestError(
            f'The parameter "input" names more than {MOST_NAMED:,} things that are kept elsewhere. Send them themselves, or '
            "go on by previous_response_id.",
            param="input",
        )
    return tokens, visible, named


def _built_in(tools: list[wire.Tool]) -> int:
    """Return how many tools are defined by the provider. Raises RequestError for those that it runs, too."""
    found = 0
    for tool in tools:
        local = tool.type == "shell" and tool.environment is not None and tool.environment.type == "local"
        if tool.type in FREE_TEXT:
            found += _built_in(tool.tools or [])
        elif tool.type in BUILT_IN or local:
            found += 1
        else:
            why = SEARCH_OUTSIDE if str(tool.type).startswith("web_search") else TOOLS_OUTSIDE
            raise parameters.unsupported("tools", f"{str(tool.type)[:40]} {why}")
    return found


def _content_bound(content: msgspec.Raw, named: _Named) -> tuple[int, bool]:
    """Return what is to be added for content beyond its bytes, and whether all of it can be seen."""
    first = bytes(memoryview(content)[:1])
    if first not in (b"[", b"{"):
        return 0, True
    try:
        parts = wire.parts.decode(content) if first == b"[" else [wire.part.decode(content)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError('The parameter "input" is not of the documented shape.', param="input") from None
    tokens, visible = 0, True
    for part in parts:
        if part.file_id is not None:
            named.files.append(part.file_id[:LONGEST_ID])
            visible = False
        if part.type == "input_audio":
            raise parameters.unsupported("input", "audio tokens have prices of their own. Leave audio out.")
        if part.type == "input_image" and (part.image_url or "")[:11].lower() == "data:image/":
            tokens += (SMALL_IMAGE_TOKENS if part.detail == "low" else IMAGE_TOKENS) - len(part.image_url or "")
        elif part.type not in TEXTS:
            visible = False
    return tokens, visible


def _read(members: Members, name: str, decode: Callable[[bytes], T]) -> T | None:
    raw = members.raw(name)
    if raw is None or raw == b"null":
        return None
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(f'The parameter "{name}" is not of the documented shape.', param=name) from None


def _refuse_unpriced(members: Members) -> None:
    """Refuse what a provider bills by other meters than tokens in and out; nothing is ever served for nothing."""
    for name in members.spans.keys() - ALLOWED:
        if members.raw(name) not in _NOTHING:
            raise parameters.unsupported(name, OUTSIDE.get(name, NEW))
    tier = parameters.value(members, "service_tier")
    if tier is not None and tier not in TIERS:
        raise parameters.unsupported("service_tier", "other tiers have prices of their own. Leave it out.")
    caching = _read(members, "prompt_cache_options", wire.cache_options.decode)
    if caching is not None and caching.ttl not in (None, "30m"):
        raise parameters.unsupported(
            "prompt_cache_options", "a longer life in the cache may have a price of its own. Leave ttl out."
        )
