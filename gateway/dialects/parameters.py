"""Reads the few parameters that the gateway must understand; a wrong one is a 400 that names it."""

from typing import Any

import msgspec

from gateway.dialects.members import Members
from gateway.errors import RequestError

MAX_MODEL_NAME = 256
MAX_TOKENS = 1 << 40


def model_name(members: Members) -> str:
    """Return the `model` parameter."""
    name = _value(members, "model")
    if name is None:
        raise RequestError(
            'The parameter "model" is missing. Name the model to call; GET /v1/models lists yours.', param="model"
        )
    if not isinstance(name, str) or not name or len(name) > MAX_MODEL_NAME or not name.isprintable():
        raise RequestError(
            f'The parameter "model" must be a name of 1 to {MAX_MODEL_NAME} printable characters.', param="model"
        )
    return name


def flag(members: Members, name: str) -> bool:
    """Return a boolean parameter, False when absent or null."""
    value = _value(members, name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(f'The parameter "{name}" must be true or false.', param=name)
    return bool(value)


def count(members: Members, name: str, most: int = MAX_TOKENS) -> int | None:
    """Return an integer parameter from 1 to `most`, None when absent or null."""
    value = _value(members, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        upper = f" to {most}" if most != MAX_TOKENS else " on"
        raise RequestError(f'The parameter "{name}" must be a whole number from 1{upper}.', param=name)
    return value


def mapping(members: Members, name: str) -> dict[str, Any] | None:
    """Return an object parameter, None when absent or null."""
    value = _value(members, name)
    if value is not None and not isinstance(value, dict):
        raise RequestError(f'The parameter "{name}" must be an object.', param=name)
    return value


def required(members: Members, name: str, hint: str) -> None:
    """Raise RequestError when a parameter is absent or null."""
    if members.raw(name) in {None, b"null"}:
        raise RequestError(f'The parameter "{name}" is missing. {hint}', param=name)


def unsupported(name: str, why: str) -> RequestError:
    """Return the error of a parameter that cannot be allowed here."""
    return RequestError(
        f'The parameter "{name}" is not supported here: {why}', code="unsupported_parameter", param=name
    )


def _value(members: Members, name: str) -> Any:
    try:
        return members.value(name)
    except (msgspec.DecodeError, RecursionError):
        raise RequestError(f'The parameter "{name}" cannot be read.', param=name) from None
