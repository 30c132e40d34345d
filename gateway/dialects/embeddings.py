"""OpenAI's embeddings: what the gateway reads of a request, and what it changes."""

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_stream import ChatStream
from gateway.errors import RequestError
from gateway.tokens import Countable, embeddings_prompt
from gateway.types import ParsedRequest

NAMES = frozenset({"model", "input", "stream"})


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter."""
    parameters.plainly_named(members, NAMES)
    model = parameters.model_name(members)
    parameters.required(members, "input", "It is the text, or the list of texts, to embed.")
    if parameters.value(members, "input") in ("", []):
        raise RequestError('The parameter "input" is empty. Send at least one text.', param="input")
    if parameters.flag(members, "stream"):
        raise parameters.unsupported("stream", "embeddings come in one piece. Leave it out.")
    return ParsedRequest(
        members=members,
        model=model,
        streamed=False,
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=members.size("input"),  # a token is at least a byte, as text and as a number
        window_bound=False,
    )


def outbound(request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes:
    """Return the body for the provider: the client's, but for the model."""
    return request.members.replaced({"model": msgspec.json.encode(upstream_model)})


def stream(request: ParsedRequest) -> ChatStream:
    """Embeddings are never streamed; `parse` has refused it."""
    return ChatStream(hide_usage=False)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    return embeddings_prompt(msgspec.json.decode(request.members.body, type=dict))
