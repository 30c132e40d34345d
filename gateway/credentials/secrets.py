"""Secrets that have parts, as JSON."""

from typing import Any

import msgspec


class UnusableError(Exception):
    """A credential cannot be used. The words say why, and nothing of it."""


def members_of(secret: str) -> dict[str, Any]:
    """Return the members of a secret that is JSON. Raises UnusableError."""
    try:
        members = msgspec.json.decode(secret)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise UnusableError("the credential is not valid JSON") from None
    if not isinstance(members, dict):
        raise UnusableError("the credential is not a JSON object")
    return members


def text_of(members: dict[str, Any], name: str) -> str:
    """Return a member that has to be there. Raises UnusableError."""
    value = members.get(name)
    if not isinstance(value, str) or not value.strip():
        raise UnusableError(f'the credential has no "{name}"')
    return value.strip()
