"""Reads the few parameters that the gateway must understand; a wrong one is a 400 that names it."""

from typing import Any

import msgspec

from gateway.dialects.members import Members
from gateway.errors import RequestError

MAX_MODEL_NAME = 256
MAX_TOKENS = 1 << 40


def model_name(members: Members) -> str:
    """Return the `model` parameter."""
    name = value(members, "model")
    if name is None:
        raise RequestError(
            'The parameter "model" is missing. Name the model to call; GET /v1/models lists yours.', param="model"
        )
    if not isinstance(name, str) or not name or len(name) > MAX_MODEL_NAME or not name.isprintable():
        raise RequestError(
            f'The parameter "model" must be a name of 1 to {MAX_MODEL_NAME} printable characters.', param="model"
        )
    return name


def value(members: Members, name: str) -> Any:
    """Return a parameter as it was sent, None when absent or null. Raises RequestError when it cannot be read."""
    span = members.spans.get(name)
    if span is None:
        return None
    try:
        return msgspec.json.decode(members.body[span[0] : span[1]])
    except (msgspec.DecodeError, RecursionError):
        raise RequestError(f'The parameter "{name}" cannot be read.', param=name) from None


def plainly_named(members: Members, names: frozenset[str]) -> None:
    """Refuse a member that differs from one of `names` in the case of its letters alone.

    Some providers' readers of JSON (Go's, for one) take `N` for `n`: it would reach them unread and unbounded.
    """
    for name in members.spans.keys() - names:
        folded = name.casefold()
        if folded in names:
            raise RequestError(
                f'The parameter "{folded}" is written in small letters. Some providers would read this one all the '
                "same, so send it as documented, or leave it out.",
                param=folded,
            )


def flag(members: Members, name: str) -> bool:
    """Return a boolean parameter, False when absent or null."""
    given = value(members, name)
    if given is not None and not isinstance(given, bool):
        raise RequestError(f'The parameter "{name}" must be true or false.', param=name)
    return bool(given)


def count(members: Members, name: str, most: int = MAX_TOKENS) -> int | None:
    """Return an integer parameter from 1 to `most`, None when absent or null."""
    given = value(members, name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        upper = f" to {most}" if most != MAX_TOKENS else " on"
        raise RequestError(f'The parameter "{name}" must be a whole number from 1{upper}.', param=name)
    return given


def mapping(members: Members, name: str) -> dict[str, Any] | None:
    """Return an object parameter, None when absent or null."""
    given = value(members, name)
    if given is not None and not isinstance(given, dict):
        raise RequestError(f'The parameter "{name}" must be an object.', param=name)
    return given


def required(members: Members, name: str, hint: str) -> None:
    """Raise RequestError when a parameter is absent or null."""
    if members.size(name) <= len(b"null") and members.raw(name) in {None, b"null"}:
        raise RequestError(f'The parameter "{name}" is missing. {hint}', param=name)


def unsupported(name: str, why: str) -> RequestError:
    """Return the error of a parameter that cannot be allowed here."""
    return RequestError(
        f'The parameter "{name}" is not supported here: {why}', code="unsupported_parameter", param=name
    )
