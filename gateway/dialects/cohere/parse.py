"""What the gateway reads of a chat or an embed as Cohere's clients send it: who is to answer, and what it costs at most."""

from typing import Any

import msgspec

from gateway.dialects import parameters
from gateway.dialects.members import Members
from gateway.dialects.openai_prompt import IMAGE_TOKENS, INSTRUCTIONS_TOKENS
from gateway.dialects.shapes import decoded, listed, texts
from gateway.errors import RequestError
from gateway.tokens import Countable, chat_prompt
from gateway.types import ParsedRequest

# What is known to cost nothing but tokens in and out at the model's price; others are refused.
CHAT = frozenset(
    {"model", "messages", "stream", "tools", "strict_tools", "documents", "citation_options", "response_format"}
    | {"safety_mode", "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty"}
    | {"k", "p", "logprobs", "tool_choice", "thinking", "priority"}
)
EMBED = frozenset(
    {"model", "texts", "input_type", "max_tokens", "output_dimension", "embedding_types", "truncate", "priority"}
)
NEW = "the gateway does not know what it costs. Leave it out."
IMAGES = {"images": "images are billed apart, which is not metered. Send texts.", "inputs": "send texts, as `texts`."}
TEXTS = frozenset({"text", "thinking", "document"})  # kinds of content that are bounded by their bytes


class _Part(msgspec.Struct):
    type: str = ""
    image_url: Any = None


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")


_messages = msgspec.json.Decoder(list[_Message])
_parts = msgspec.json.Decoder(list[_Part])


def parse(members: Members) -> ParsedRequest:
    """Read a chat. Raises RequestError that names the parameter."""
    model = _checked(members, CHAT)
    parameters.required(members, "messages", "It is the conversation: a list of messages.")
    bound, visible = _prompt_bound(members)
    return ParsedRequest(
        members=members,
        model=model,
        streamed=parameters.flag(members, "stream"),
        choices=1,
        output_cap=parameters.count(members, "max_tokens"),
        usage_wanted=True,
        prompt_bound=bound,
        window_bound=not visible,
    )


def parse_embed(members: Members) -> ParsedRequest:
    """Read an embed. Raises RequestError that names the parameter: of texts alone it is known what they cost."""
    model = _checked(members, EMBED)
    if not texts(parameters.value(members, "texts"), "texts"):
        raise RequestError(
            'The parameter "texts" is missing or empty. It is the list of texts to embed.', param="texts"
        )
    return ParsedRequest(
        members=members,
        model=model,
        streamed=False,
        choices=1,
        output_cap=0,
        usage_wanted=False,
        prompt_bound=members.size("texts"),
        window_bound=False,
    )


def prompt(request: ParsedRequest) -> Countable:
    """Return what counts as prompt of a chat: its messages have the shape of OpenAI's, and documents stand beside."""
    body = decoded(request)
    found, more = chat_prompt(body), []
    for message in listed(body.get("messages")):
        more += [
            _text_of(part) for part in listed(message.get("content")) if part.get("type") in ("thinking", "document")
        ]
        more.append(str(message.get("tool_plan") or ""))
    documents = body.get("documents")
    more += [_text_of(one) for one in documents] if isinstance(documents, list) else []
    images = any(
        part.get("type") == "image_url"
        for message in listed(body.get("messages"))
        for part in listed(message.get("content"))
    )
    return Countable((*found.texts, *more), found.overhead, not images)


def prompt_embed(request: ParsedRequest) -> Countable:
    """Return what counts as prompt of an embed."""
    return Countable(tuple(texts(parameters.value(request.members, "texts"), "texts")), 0, True)


def _checked(members: Members, known: frozenset[str]) -> str:
    """Return the model's name; refuse what is not known to cost nothing beside."""
    parameters.plainly_named(members, known)
    for name in sorted(members.spans.keys() - known):
        if members.raw(name) != b"null":
            raise parameters.unsupported(name[:60], IMAGES.get(name, NEW))
    return parameters.model_name(members)


def _prompt_bound(members: Members) -> tuple[int, bool]:
    """Return (tokens, visible): a token is at least a byte; an image sent inline has a flat bound instead of its size."""
    tokens, visible = len(members.body), True
    if not {"tools", "response_format", "documents"}.isdisjoint(members.spans):
        tokens += INSTRUCTIONS_TOKENS
    try:
        for message in _messages.decode(members.raw("messages") or b"[]"):
            first = bytes(memoryview(message.content)[:1])
            if first == b"{":  # some readers take it for a list of one, such as an image that is not seen here
                raise RequestError("The content of a message is a text, or a list of parts.", param="messages")
            if first != b"[":
                continue
            for part in _parts.decode(message.content):
                added, seen = _part_bound(part)
                tokens, visible = tokens + added, visible and seen
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError('The parameter "messages" is not of the documented shape.', param="messages") from None
    return tokens, visible


def _part_bound(part: _Part) -> tuple[int, bool]:
    if part.type in TEXTS:
        return 0, True
    url = part.image_url.get("url") if isinstance(part.image_url, dict) else None
    if (
        part.type != "image_url"
        or not isinstance(url, str)
        or not url.startswith(("https://", "http://", "data:image/"))
    ):
        raise parameters.unsupported(
            "messages", "content is text, thinking, a document, or an image at an address or inline."
        )
    return (IMAGE_TOKENS - len(url), True) if url.startswith("data:") else (0, False)


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
