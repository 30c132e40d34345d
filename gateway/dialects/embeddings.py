"""OpenAI's embeddings: what the gateway reads of a request, what it changes, and how others' vectors are written."""

import struct
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_stream import ChatStream
from gateway.errors import RequestError
from gateway.tokens import Countable, embeddings_prompt
from gateway.types import ParsedRequest, Usage

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


def written(request: ParsedRequest, vectors: Sequence[list[float]], usage: Usage | None) -> bytes:
    """Write the answer of a provider that does not speak OpenAI's embeddings, packed as the client asked.

    Where the provider did not say what was used, nor does the answer: it is counted afterwards.
    """
    as_text = parameters.value(request.members, "encoding_format") == "base64"
    made: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if as_text else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": request.model,
    }
    if usage is not None:
        made["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return msgspec.json.encode(made)


def _packed(vector: list[float]) -> str:
    """Return a vector as OpenAI packs it: little-endian floats of 32 bits, in base64."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
