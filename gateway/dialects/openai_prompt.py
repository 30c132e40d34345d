"""How many tokens a chat prompt cannot exceed, without counting them."""

from typing import Any

import msgspec

from gateway.dialects.members import Members
from gateway.dialects.parameters import unsupported
from gateway.errors import RequestError

# Images are billed by tiles. The dearest published rule is gpt-4o-mini's (2,833 tokens and 5,667 a tile, at most
# eight tiles of 512 pixels after scaling: 48,169); "detail": "low" is the base alone. Other models need far less.
IMAGE_TOKENS = 49_000
SMALL_IMAGE_TOKENS = 2_900

# Whoever answers may put instructions of its own before the prompt, and bills them: for tools, and for a format of the
# output. Anthropic's are the longest that are published (at most 804 tokens for tools, "Tool use").
INSTRUCTIONS_TOKENS = 2_000
_INSTRUCTED = frozenset({"tools", "functions", "response_format", "safe_prompt"})

_FILES = "files stored at the provider belong to its account, which all callers share here. Send the data inline."
_AUDIO = "audio tokens have prices of their own, which the gateway does not charge yet."


class _Part(msgspec.Struct):
    type: str = ""
    image_url: msgspec.Raw = msgspec.Raw(b"{}")
    video_url: Any = None
    audio_url: Any = None
    document_url: Any = None
    file: Any = None
    file_id: Any = None


class _Image(msgspec.Struct):
    url: str = ""
    detail: str | None = None


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")
    audio: Any = None


_LIST, _OBJECT, _STRING = b'[{"'
_ADDRESSED = ("video_url", "audio_url", "document_url")
_SCHEMES = ("https://", "http://", "data:")  # others (gs://, ms://, …) name what the provider keeps
_messages = msgspec.json.Decoder(list[_Message])
_parts = msgspec.json.Decoder(list[_Part])
_image = msgspec.json.Decoder(_Image)


def prompt_bound(members: Members) -> tuple[int, bool]:
    """Return (tokens, visible): a bound of the prompt, and whether all input could be seen.

    A token is at least one byte, so the size of the body bounds its texts; an image sent inline has a flat bound
    instead of its size. Raises RequestError for audio input, for what is stored at the provider, and where the shape
    hides whether it is.
    """
    tokens, visible = len(members.body), True
    if not _INSTRUCTED.isdisjoint(members.spans):
        tokens += INSTRUCTIONS_TOKENS
    try:
        messages = _messages.decode(members.raw("messages") or b"[]")
        for message in messages:
            kind = memoryview(message.content)[0]
            if kind == _LIST:
                added, seen = _parts_bound(_parts.decode(message.content))
                tokens, visible = tokens + added, visible and seen
            if message.audio is not None:
                raise unsupported("messages", _FILES)
            if kind == _OBJECT:
                raise _wrong()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _wrong() from None
    return tokens, visible


def _parts_bound(parts: list[_Part]) -> tuple[int, bool]:
    tokens, visible = 0, True
    for part in parts:
        if part.type == "input_audio":
            raise unsupported("messages", _AUDIO)
        _check_stored(part)
        if part.type == "image_url":
            image = _image_of(part.image_url)
            _check_address(image.url)
            if image.url[:11].lower() == "data:image/":  # a film or a document takes far more tokens
                tokens += (SMALL_IMAGE_TOKENS if image.detail == "low" else IMAGE_TOKENS) - len(image.url)
            else:
                visible = False
        elif part.type not in {"text", "refusal"}:
            visible = False
    return tokens, visible


def _check_stored(part: _Part) -> None:
    """Refuse what names something that the provider keeps, under whichever name an engine has for it."""
    file = part.file if isinstance(part.file, dict) else {}
    if part.file_id is not None or file.get("file_id") is not None:
        raise unsupported("messages", _FILES)
    for name in _ADDRESSED:
        given = getattr(part, name)
        url = given.get("url") if isinstance(given, dict) else given
        if url is not None:
            _check_address(url)


def _check_address(url: object) -> None:
    if not isinstance(url, str) or not url[:8].lower().startswith(_SCHEMES):
        raise unsupported("messages", _FILES)


def _wrong() -> RequestError:
    return RequestError('The parameter "messages" is not of the documented shape.', param="messages")


def _image_of(raw: msgspec.Raw) -> _Image:
    if memoryview(raw)[0] == _STRING:
        return _Image(msgspec.json.decode(raw, type=str))
    return _image.decode(raw)
