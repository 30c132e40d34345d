"""OpenAI's chat completions: what the gateway reads of a request and of an answer, and what it changes."""

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_parameters import CHAT, NEW
from gateway.dialects.openai_prompt import prompt_bound
from gateway.dialects.openai_stream import ChatStream
from gateway.dialects.profile_table import EXTRAS
from gateway.tokens import Countable, chat_prompt
from gateway.types import ParsedRequest

MAX_CHOICES = 128
OUTSIDE = {  # parameters of some providers that lead around the model's own price or policy
    "models": "it names other models to fall back on, which this key may not be allowed. Name one model.",
    "fallbacks": "it names other models to fall back on, which this key may not be allowed. Name one model.",
    "best_of": "answers that are made and not shown are billed all the same. Use n.",
    "plugins": "providers bill plugins apart, which is not metered. Leave it out.",
    "search_parameters": "providers bill searches apart, which is not metered. Leave it out.",
    "web_search_options": "providers bill searches apart, which is not metered. Leave it out.",
    "data_sources": "it sends the provider to addresses of the caller's. Leave it out.",
    "enable_search": "providers bill searches apart, which is not metered. Leave it out.",
    "search_options": "providers bill searches apart, which is not metered. Leave it out.",
    "web_search": "providers bill searches apart, which is not metered. Leave it out.",
    "provider": "who answers, at which price and under which terms, is the catalogue's to say. Leave it out.",
    "preset": "what it holds at the provider is not seen here. Send the parameters themselves.",
    "extra_body": "it is an option of clients, which send what it holds in its place.",
    "audio": "only text is metered. Leave it out.",
}
TOOLS, TIERS = ("function", "custom"), ("auto", "default", "flex")
CAPS = ("max_completion_tokens", "max_tokens")
_PRICED_APART = frozenset({"modalities", "service_tier", "tools"})
NAMES = CHAT | frozenset(OUTSIDE)
_KNOWN = CHAT | EXTRAS
_NONE = frozenset({None, b"null"})
_NOTHING = _NONE | {b"false"}


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, NAMES)
    model = parameters.model_name(members)
    parameters.required(members, "messages", "It is the conversation: a list of messages.")
    refuse_unknown(members, _KNOWN)
    if not _PRICED_APART.isdisjoint(members.spans):
        _refuse_unpriced(members)
    caps = [parameters.count(members, name) for name in CAPS if name in members.spans]
    options = parameters.mapping(members, "stream_options") or {}
    bound, visible = prompt_bound(members)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=parameters.flag(members, "stream"),
        choices=parameters.count(members, "n", MAX_CHOICES) or 1,
        output_cap=max((cap for cap in caps if cap is not None), default=None),
        usage_wanted=options.get("include_usage") is True,
        prompt_bound=bound,
        window_bound=not visible,
        extra_output_bound=members.size("prediction"),  # what of a prediction is not used is billed as output
    )


def outbound(request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes:
    """Return the body for the provider: the client's, but for model, output cap (0: none) and the usage option."""
    changes = {"model": msgspec.json.encode(upstream_model)}
    if request.output_cap is None and cap:
        changes[cap_name] = str(cap).encode()
    elif request.output_cap is not None and cap_name == "max_tokens" and request.members.raw(cap_name) in _NONE:
        # a provider that knows the older name alone would pass over the newer one, and answer without end
        changes |= {cap_name: str(request.output_cap).encode(), "max_completion_tokens": b"null"}
    if request.streamed and not request.usage_wanted:
        changes["stream_options"] = with_usage(request.members.raw("stream_options"))
    return request.members.replaced(changes)


def stream(request: ParsedRequest) -> ChatStream:
    """Return what relays the answer to a streamed request."""
    return ChatStream(hide_usage=not request.usage_wanted)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    return chat_prompt(msgspec.json.decode(request.members.body, type=dict))


def with_usage(options: bytes | None) -> bytes:
    """Return the options of a stream, with its usage asked for."""
    if options is None or options == b"null":
        return b'{"include_usage":true}'
    return Members(options, 'The parameter "stream_options"').replaced({"include_usage": b"true"})


def refuse_unknown(members: Members, known: frozenset[str]) -> None:
    """Refuse a parameter that is not among the `known` ones, unless it says nothing."""
    for name in members.spans.keys() - known:
        if members.raw(name) not in _NOTHING:
            raise parameters.unsupported(name[:60], OUTSIDE.get(name, NEW))


def _refuse_unpriced(members: Members) -> None:
    """Refuse what a provider bills by other meters than tokens in and out; nothing is ever served for nothing."""
    modalities = parameters.value(members, "modalities")
    if modalities is not None and modalities != ["text"]:
        raise parameters.unsupported("modalities", "only text is metered. Leave it out, or ask for text alone.")
    tier = parameters.value(members, "service_tier")
    if tier is not None and tier not in TIERS:
        raise parameters.unsupported("service_tier", "other tiers have prices of their own. Leave it out.")
    tools = parameters.value(members, "tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type", "function") not in TOOLS:
            raise parameters.unsupported(
                "tools", "tools that the provider runs itself are billed apart, which is not metered. Send functions."
            )
