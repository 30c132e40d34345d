"""An answer in OpenAI's dialect that came in one piece: its usage, or its error."""

from typing import Any

import msgspec

from gateway.dialects.openai_usage import usage_of
from gateway.types import Usage


class _Body(msgspec.Struct):
    usage: Any = None
    error: Any = None


_body = msgspec.json.Decoder(_Body)


class Answer(msgspec.Struct, frozen=True):
    """What the gateway reads of an answer. `error` is the provider's error object, `status` what it means in HTTP."""

    usage: Usage | None
    error: dict[str, Any] | None = None
    status: int = 200


def read_answer(body: bytes) -> Answer | None:
    """Read a whole answer. None when it is not a JSON object."""
    try:
        parsed = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    usage = usage_of(parsed.usage)
    if not parsed.error:
        return Answer(usage)
    return Answer(usage, as_detail(parsed.error), status_of(parsed.error))


def error_detail(body: bytes) -> dict[str, Any]:
    """Return the error object of a body, {} when there is none: OpenAI's, or the plain variants of other engines."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    return as_detail(parsed.get("error") or parsed.get("message") or parsed.get("detail"))


def as_detail(error: object) -> dict[str, Any]:
    """Return an error as an object with a message."""
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else {}


def status_of(error: object) -> int:
    """Return the HTTP status that an error inside a 200 stands for: its numeric code, if that is one; else 502."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 600 and code not in {401, 402, 403}:
        return code
    return 502
