"""How many tokens a chat prompt cannot exceed, without counting them."""

from typing import Any

import msgspec

from gateway.dialects.members import Members
from gateway.dialects.parameters import unsupported

# Images are billed by tiles. The dearest published rule is gpt-4o-mini's (2,833 tokens and 5,667 a tile, at most
# eight tiles of 512 pixels after scaling: 48,169); "detail": "low" is the base alone. Other models need far less.
IMAGE_TOKENS = 49_000
SMALL_IMAGE_TOKENS = 2_900

# Whoever answers may put instructions of its own before the prompt, and bills them: for tools, and for a format of the
# output. Anthropic's are the longest that are published (at most 804 tokens for tools, "Tool use").
INSTRUCTIONS_TOKENS = 2_000
_INSTRUCTED = ("tools", "functions", "response_format")

_AUDIO = "audio tokens have prices of their own, which the gateway does not charge yet."


class _Part(msgspec.Struct):
    type: str = ""
    image_url: msgspec.Raw = msgspec.Raw(b"{}")


class _Image(msgspec.Struct):
    url: str = ""
    detail: str | None = None


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")
    audio: Any = None


_LIST, _OBJECT, _STRING = b'[{"'
_messages = msgspec.json.Decoder(list[_Message])
_parts = msgspec.json.Decoder(list[_Part])
_image = msgspec.json.Decoder(_Image)


def prompt_bound(members: Members) -> tuple[int, bool]:
    """Return (tokens, visible): a bound of the prompt, and whether all input could be seen.

    A token is at least one byte, so the size of the body bounds its texts; an image sent inline has a flat bound
    instead of its size. Raises RequestError for audio input.
    """
    tokens, visible = len(members.body), True
    if any(name in members for name in _INSTRUCTED):
        tokens += INSTRUCTIONS_TOKENS
    try:
        messages = _messages.decode(members.raw("messages") or b"[]")
        for message in messages:
            kind = memoryview(message.content)[0]
            if kind == _LIST:
                added, seen = _parts_bound(_parts.decode(message.content))
                tokens, visible = tokens + added, visible and seen
            if kind == _OBJECT or message.audio is not None:
                visible = False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return tokens, False  # of a shape we do not know: the provider judges it, the context window bounds it
    return tokens, visible


def _parts_bound(parts: list[_Part]) -> tuple[int, bool]:
    tokens, visible = 0, True
    for part in parts:
        if part.type == "input_audio":
            raise unsupported("messages", _AUDIO)
        if part.type == "image_url":
            image = _image_of(part.image_url)
            if image.url[:11].lower() == "data:image/":  # a film or a document takes far more tokens
                tokens += (SMALL_IMAGE_TOKENS if image.detail == "low" else IMAGE_TOKENS) - len(image.url)
            else:
                visible = False
        elif part.type not in {"text", "refusal"}:
            visible = False
    return tokens, visible


def _image_of(raw: msgspec.Raw) -> _Image:
    if memoryview(raw)[0] == _STRING:
        return _Image(msgspec.json.decode(raw, type=str))
    return _image.decode(raw)
