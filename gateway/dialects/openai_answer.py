"""An answer in OpenAI's dialect that came in one piece: its usage, or its error."""

from typing import Any

import msgspec

from gateway.dialects.openai_usage import usage_of
from gateway.types import Usage

MAX_DETAILS = 5
_WORDS = ("message", "msg", "detail", "error")
_STATUSES = {"rate_limit_exceeded": 429, "context_length_exceeded": 400, "invalid_prompt": 400}  # by the error's code


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
    """Return the error object of a body, {} when there is none: OpenAI's, or the variants of other engines.

    vLLM and Mistral have its members at the top, FastAPI a list of what is wrong as "detail".
    """
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    if parsed.get("error"):
        return as_detail(parsed["error"])
    found = as_detail(_words(parsed.get("message")) or _words(parsed.get("detail")))
    return found | {name: parsed[name] for name in ("type", "param", "code") if found and parsed.get(name)}


def as_detail(error: object) -> dict[str, Any]:
    """Return an error as an object with a message."""
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return error
    words = _words(error)
    told = {"message": words} if words else {}
    return error | told if isinstance(error, dict) else told


def _words(said: object, depth: int = 4) -> str:
    """Return what is wrong in words, however deep they are wrapped: "messages.0.name: Extra inputs are not permitted"."""
    if isinstance(said, str):
        return said
    if not depth:
        return ""
    if isinstance(said, list):
        return "; ".join(words for item in said[:MAX_DETAILS] if (words := _words(item, depth - 1)))
    if not isinstance(said, dict):
        return ""
    words = next((words for name in _WORDS if (words := _words(said.get(name), depth - 1))), "")
    where = said.get("loc")
    place = ".".join(str(part) for part in where if part != "body") if isinstance(where, list) else ""
    return f"{place}: {words}" if place and words else words


def status_of(error: object) -> int:
    """Return the HTTP status that an error inside a 200 stands for, by its code; else 502."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 600 and code not in {401, 402, 403}:
        return code
    return _STATUSES.get(code, 502) if isinstance(code, str) else 502
