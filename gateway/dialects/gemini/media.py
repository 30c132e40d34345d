"""What Gemini's parts hold beside text: what of it may be sent, and how many tokens it can be."""

from typing import Any
from urllib.parse import urlsplit

from gateway.dialects.gemini.fields import field, many
from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.dialects.parameters import unsupported

_HOSTS = ("googleapis.com", "youtube.com", "youtu.be")
_SOUND = "tokens of sound and film have prices of their own, which the gateway does not charge yet."
_FILES = (
    "files stored at Google belong to the provider's account, which all callers share here. Send the data inline, or the "
    "address of a public file."
)
_KIND = "name the mimeType of a file: an image, a PDF or text."


def bound_of(contents: list[dict[str, Any]], size: int) -> tuple[int, bool]:
    """Return (tokens, visible): a bound of a prompt of `size` bytes, and whether all of it could be seen.

    A token is at least a byte; an image sent inline has a flat bound instead of its size. PDFs are billed by pages and
    files are elsewhere, so that only the context window bounds them. Raises RequestError for what is not metered here.
    """
    tokens, visible = size, True
    for content in contents:
        for part in many(content.get("parts")):
            for holder in (part, *_of_response(part)):
                added, seen = _bound(holder)
                tokens, visible = tokens + added, visible and seen
    return tokens, visible


def _of_response(part: dict[str, Any]) -> list[dict[str, Any]]:
    response = field(part, "functionResponse")
    return many(response.get("parts")) if isinstance(response, dict) else []


def _bound(part: dict[str, Any]) -> tuple[int, bool]:
    inline, file = field(part, "inlineData"), field(part, "fileData")
    if isinstance(file, dict):
        _check_kind(kind_of(file), needed=True)
        _check_address(field(file, "fileUri"))
        return 0, False
    if not isinstance(inline, dict):
        return 0, True
    kind, data = kind_of(inline), inline.get("data")
    _check_kind(kind, needed=False)
    if kind.startswith("image/") and isinstance(data, str):
        return IMAGE_TOKENS - len(data), True
    return 0, kind.startswith("text/")


def kind_of(blob: dict[str, Any]) -> str:
    """Return the media type of inline data or of a file, in small letters; "" when it is not said."""
    given = field(blob, "mimeType")
    return given.lower() if isinstance(given, str) else ""


def _check_kind(kind: str, *, needed: bool) -> None:
    if kind.startswith(("audio/", "video/")):
        raise unsupported("contents", _SOUND)
    if needed and not kind.startswith(("image/", "text/", "application/pdf")):
        raise unsupported("contents", _KIND)


def _check_address(uri: object) -> None:
    parts = urlsplit(uri) if isinstance(uri, str) else None
    host = (parts.hostname or "") if parts else ""
    if parts is None or parts.scheme != "https" or any(host == one or host.endswith("." + one) for one in _HOSTS):
        raise unsupported("contents", _FILES)
