"""Fields of Gemini's requests by their documented names; the names of the protocol buffers are taken too, as Google does."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from gateway.dialects.members import Members
from gateway.errors import RequestError

_CAPITAL = re.compile(r"[A-Z]")


@lru_cache(maxsize=256)
def snake_of(name: str) -> str:
    """Return the other spelling: `max_output_tokens` for `maxOutputTokens`."""
    return _CAPITAL.sub(lambda match: "_" + match[0].lower(), name)


def field(value: Mapping[str, Any], name: str) -> Any:
    """Return a field of a decoded object in either spelling, None when absent. Raises RequestError when it has both."""
    other = snake_of(name)
    if other == name or other not in value:
        return value.get(name)
    if name in value:
        raise _both(name)
    return value[other]


def many(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, or the one object that stands in its place: Google's API takes both.

    Raises RequestError for anything else, which would reach the provider unread.
    """
    found = [value] if isinstance(value, dict) else [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RequestError("The contents, parts and tools of a request must be lists of objects.", param="contents")
    return found


def folded(*names: str) -> Mapping[str, str]:
    """Return names by what is left of them without case and underscores, for `spelled`."""
    return {name.lower(): name for name in names}


def spelled(given: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return which of the known names are given, and how they are spelled.

    Raises RequestError for one that is given twice, or in a spelling that only a lenient reader would take: it would
    reach such a provider unread and unbounded.
    """
    found: dict[str, str] = {}
    for name in given:
        meant = known.get(name.replace("_", "").lower())
        if meant is None:
            continue
        if name not in {meant, snake_of(meant)}:
            raise RequestError(
                f'The parameter "{meant}" is misspelt as "{name[:60]}". Send it as documented.', param=meant
            )
        if meant in found:
            raise _both(meant)
        found[meant] = name
    return found


def members_of(members: Members, name: str, meant: str) -> Members | None:
    """Return an object within a body by its members, None when it is null."""
    raw = members.raw(name)
    return None if raw is None or raw == b"null" else Members(raw, f'The parameter "{meant}"')


def _both(name: str) -> RequestError:
    return RequestError(f'The parameter "{name}" is given in both of its spellings. Send it once.', param=name)
