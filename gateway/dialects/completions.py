"""OpenAI's older completions of plain prompts: what the gateway reads of a request, and what it changes."""

import json
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_chat import MAX_CHOICES, TIERS, refuse_unknown, with_usage
from gateway.dialects.openai_parameters import COMPLETIONS
from gateway.dialects.openai_stream import ChatStream
from gateway.errors import RequestError
from gateway.tokens import Countable
from gateway.types import ParsedRequest

USUAL_CAP = 16  # tokens, where the request says none ("Create completion"); other engines differ, so it is always sent
MAX_PROMPTS = 2_048
_NONE = frozenset({None, b"null"})


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, COMPLETIONS)
    model = parameters.model_name(members)
    parameters.required(members, "prompt", "It is the text to go on from, its tokens, or a list of such.")
    refuse_unknown(members, COMPLETIONS)
    if parameters.value(members, "service_tier") not in (None, *TIERS):
        raise parameters.unsupported("service_tier", "other tiers have prices of their own. Leave it out.")
    prompts = _prompts(parameters.value(members, "prompt"))
    options = parameters.mapping(members, "stream_options") or {}
    size = members.size("prompt") + members.size("suffix")  # a token is at least a byte, as text and as a number
    return ParsedRequest(
        members=members,
        model=model,
        streamed=parameters.flag(members, "stream"),
        choices=(parameters.count(members, "n", MAX_CHOICES) or 1) * len(prompts),
        output_cap=parameters.count(members, "max_tokens") or USUAL_CAP,
        usage_wanted=options.get("include_usage") is True,
        prompt_bound=size,
        window_bound=False,
        extra_output_bound=size if parameters.flag(members, "echo") else 0,
    )


def outbound(request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes:
    """Return the body for the provider: the client's, but for model, output cap and the usage option."""
    changes = {"model": msgspec.json.encode(upstream_model)}
    if request.members.raw("max_tokens") in _NONE:
        changes["max_tokens"] = str(USUAL_CAP).encode()
    if request.streamed and not request.usage_wanted:
        changes["stream_options"] = with_usage(request.members.raw("stream_options"))
    return request.members.replaced(changes)


def stream(request: ParsedRequest) -> ChatStream:
    """Return what relays the answer to a streamed request."""
    return ChatStream(hide_usage=not request.usage_wanted)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt: texts, or tokens that the client made itself."""
    prompts = _prompts(json.loads(request.members.raw("prompt") or b"[]"))
    tokens = sum(len(one) for one in prompts if isinstance(one, list))
    suffix = parameters.value(request.members, "suffix")
    texts = [one for one in (*prompts, suffix) if isinstance(one, str)]
    return Countable(tuple(texts), tokens, True)


def _prompts(given: Any) -> list[Any]:
    """Return the prompts, each a text or a list of tokens."""
    prompts = given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]
    if not prompts or len(prompts) > MAX_PROMPTS or not all(isinstance(one, str | list) for one in prompts):
        raise RequestError(
            f'The parameter "prompt" must be a text, a list of tokens, or 1 to {MAX_PROMPTS:,} of either.',
            param="prompt",
        )
    return prompts
