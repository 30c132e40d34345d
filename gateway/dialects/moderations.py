"""Moderations, as OpenAI and Mistral have them: what the gateway reads of a request, and what it changes.

Sources: openai 3.52.0, `types/moderation_create_params.py`; mistralai 3.7.0, `models/classificationrequest.py`.
"""

from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_chat import refuse_unknown
from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.dialects.openai_stream import ChatStream
from gateway.errors import RequestError
from gateway.tokens import Countable
from gateway.types import ParsedRequest

NAMES = frozenset({"model", "input", "user", "metadata"})
_SCHEMES = ("https://", "http://", "data:")
_STORED = "files stored at the provider belong to its account, which all callers share here. Send the data inline."


def parse(members: Members) -> ParsedRequest:
    """Read a request. Raises RequestError that names the parameter.

    `model` is "" where the client names none, as OpenAI allows: then the only one that it may call is meant.
    """
    parameters.plainly_named(members, NAMES)
    model = parameters.model_name(members) if parameters.value(members, "model") is not None else ""
    parameters.required(members, "input", "It is what to look at: a text, a list of texts, or of texts and images.")
    refuse_unknown(members, NAMES)
    given = parameters.value(members, "input")
    if given in ("", []):
        raise RequestError('The parameter "input" is empty. Send at least one text.', param="input")
    items = given if isinstance(given, list) else [given]
    images = [item for item in items if not isinstance(item, str)]
    for item in images:
        _check(item)
    hidden = [item for item in images if item["type"] == "image_url"]
    addresses = sum(len(item["image_url"]["url"]) for item in hidden)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=False,
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=members.size("input") - addresses + IMAGE_TOKENS * len(hidden),
        window_bound=False,
    )


def outbound(request: ParsedRequest, upstream_model: str, cap_name: str, cap: int) -> bytes:
    """Return the body for the provider: the client's, but for the model."""
    return request.members.replaced({"model": msgspec.json.encode(upstream_model)})


def stream(request: ParsedRequest) -> ChatStream:
    """Moderations are never streamed; `parse` has refused it."""
    return ChatStream(hide_usage=False)


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt."""
    given = parameters.value(request.members, "input")
    items = given if isinstance(given, list) else [given]
    texts = [item if isinstance(item, str) else item.get("text") for item in items]
    found = tuple(text for text in texts if isinstance(text, str))
    return Countable(found, 0, len(found) == len(texts))


def _check(item: Any) -> None:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind == "text" and isinstance(item.get("text"), str):
        return
    address = item.get("image_url") if kind == "image_url" else None
    url = address.get("url") if isinstance(address, dict) else None
    if not isinstance(url, str):
        raise RequestError(
            'The parameter "input" must be a text, or a list of texts and of objects of the type "text" or "image_url".',
            param="input",
        )
    if not url[:8].lower().startswith(_SCHEMES):
        raise parameters.unsupported("input", _STORED)
