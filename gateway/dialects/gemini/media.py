"""What Gemini's parts hold beside text: what of it may be sent, and how many tokens it can be."""

import re
from typing import Any
from urllib.parse import urlsplit

from gateway.dialects.gemini.fields import field, many
from gateway.dialects.openai_prompt import IMAGE_TOKENS
from gateway.dialects.parameters import unsupported
from gateway.errors import RequestError

_HOSTS = ("googleapis.com", "storage.cloud.google.com", "youtube.com", "youtube-nocookie.com", "youtu.be")
_PLAIN_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")  # what two readers of URLs cannot understand differently
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x1f]")
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
        check_kind(kind_of(file))
        check_address(field(file, "fileUri"))
        return 0, False
    if file is not None or not isinstance(inline, dict | None):
        raise RequestError('"inlineData" and "fileData" must be objects.', param="contents")
    if inline is None:
        return 0, True
    kind, data = kind_of(inline), inline.get("data")
    check_kind(kind, needed=False)
    if kind.startswith("image/") and isinstance(data, str):
        return IMAGE_TOKENS - len(data), True
    return 0, kind.startswith("text/")


def kind_of(blob: dict[str, Any]) -> str:
    """Return the media type of inline data or of a file, in small letters; "" when it is not said."""
    given = field(blob, "mimeType")
    return given.lower() if isinstance(given, str) else ""


def check_kind(kind: str, param: str = "contents", *, needed: bool = True) -> None:
    """Raise RequestError for a media type with a price of its own, and, if it is `needed`, for one that hides that."""
    if kind.startswith(("audio/", "video/")):
        raise unsupported(param, _SOUND)
    if needed and not kind.startswith(("image/", "text/", "application/pdf")):
        raise unsupported(param, _KIND)


def check_address(uri: object, param: str = "contents") -> None:
    """Raise RequestError for an address that Google would read with the provider's rights, or as a film."""
    parts = urlsplit(uri) if isinstance(uri, str) and not _AMBIGUOUS.search(uri) else None
    host = (parts.hostname or "") if parts else ""
    own = any(host == one or host.endswith("." + one) for one in _HOSTS)
    if parts is None or parts.scheme != "https" or own or not _PLAIN_HOST.fullmatch(host):
        raise unsupported(param, _FILES)
