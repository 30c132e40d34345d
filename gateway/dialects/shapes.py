"""Reads decoded JSON whose shape somebody else chose; what is wrong in a request is a 400 that names the parameter."""

from typing import Any

import msgspec

from gateway.errors import RequestError
from gateway.types import ParsedRequest


def decoded(request: ParsedRequest) -> dict[str, Any]:
    """Return a request's body. Raises RequestError where it is nested too deeply."""
    try:
        return msgspec.json.decode(request.members.body, type=dict)
    except (msgspec.DecodeError, RecursionError):
        raise RequestError("The request's body cannot be read: it is nested too deeply.") from None


def objects(value: object, param: str) -> list[dict[str, Any]]:
    """Return a list of objects; [] for null."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RequestError(f'The parameter "{param}" must be a list of objects.', param=param)
    return value


def mapping(value: object, param: str) -> dict[str, Any]:
    """Return an object; {} for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(f'The parameter "{param}" must be an object.', param=param)
    return value


def text(value: object, param: str) -> str:
    """Return a text; "" for null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f'The parameter "{param}" must be a text.', param=param)
    return value


def texts(value: object, param: str) -> list[str]:
    """Return a list of texts; one text stands for a list of it, null for none."""
    if value is None:
        return []
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise RequestError(f'The parameter "{param}" must be a list of texts.', param=param)
    return given


def number(value: object, param: str) -> float | None:
    """Return a number, None for null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f'The parameter "{param}" must be a number.', param=param)
    return value


def whole_number(value: object, param: str) -> int | None:
    """Return a whole number, None for null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f'The parameter "{param}" must be a whole number.', param=param)
    return value


def flag(value: object, param: str) -> bool | None:
    """Return true or false, None for null."""
    if value is None or isinstance(value, bool):
        return value
    raise RequestError(f'The parameter "{param}" must be true or false.', param=param)


def answered(body: bytes) -> dict[str, Any] | None:
    """Return what a provider answered as an object; None when it is none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def said(value: object) -> str:
    """Return a text of a provider's; "" for anything else."""
    return value if isinstance(value, str) else ""


def listed(value: object) -> list[dict[str, Any]]:
    """Return the objects in a provider's list; [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def counted(values: dict[str, Any], name: str) -> int:
    """Return a number of tokens that a provider says; 0 where it says none that can be."""
    value = values.get(name, 0)
    return int(value) if type(value) in (int, float) and 0 <= value < 1 << 40 else 0
