"""What a call says about itself in headers: the class of its data, its metadata, its session."""

from collections.abc import Mapping

import msgspec

from gateway.dialects.members import Members
from gateway.errors import RequestError
from gateway.routing.bounds import RANK, UNBOUND, Bounds
from gateway.routing.policy import DATA_CLASSES

DATA_CLASS = b"x-atrium-data-class"
METADATA = b"x-atrium-metadata"
SESSIONS = (b"x-atrium-session", b"x-claude-code-session-id")  # ours goes before that of Claude Code
MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 256
LONGEST_SESSION = 256

_BOUNDS = {name: Bounds(name) for name in DATA_CLASSES}
_FLOORED = {name: Bounds(name, floored=True) for name in DATA_CLASSES}


def bounds_of(headers: Mapping[bytes, bytes], floor: str) -> Bounds:
    """Return the bounds that a call sets itself, above the floor of its key (`KeyEntry.data_floor`).

    Raises RequestError (400) for a class that does not exist.
    """
    said = headers.get(DATA_CLASS)
    if said is None:
        return _FLOORED[floor] if floor else UNBOUND
    found = _BOUNDS.get(said.decode("latin-1").strip().lower())
    if found is not None and floor:
        return _FLOORED[max(floor, found.data_class, key=RANK.__getitem__)]
    if found is None:
        raise RequestError(
            f"{DATA_CLASS.decode()} has to be one of {', '.join(RANK)}. It can only raise the class of a call's data.",
            param=DATA_CLASS.decode(),
        )
    return found


def metadata_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the metadata of a call. Raises RequestError (400) for what is not flat JSON within the limits."""
    said = headers.get(METADATA)
    if said is None:
        return {}
    try:
        found = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _wrong("it is not JSON") from None
    if not isinstance(found, dict):
        raise _wrong("it is not a JSON object")
    if len(found) > MOST_KEYS:
        raise _wrong(f"it has {len(found)} keys, and {MOST_KEYS} are allowed")
    for key, value in found.items():
        if not isinstance(value, str):
            raise _wrong("its values have to be strings")
        if not 1 <= len(key) <= LONGEST_KEY:
            raise _wrong(f"a key has to have 1 to {LONGEST_KEY} characters")
        if len(value) > LONGEST_VALUE:
            raise _wrong(f"a value may have {LONGEST_VALUE} characters at most")
        if not (key.isprintable() and value.isprintable()):
            raise _wrong("keys and values may hold no control characters")
    return found


def metadata_in(members: Members) -> dict[str, str]:
    """Return what OpenAI's member `metadata` holds within our limits.

    It is the client's to send and the provider's to check, so nothing of it is refused here; no rule can ask for the rest.
    """
    try:
        found = members.value("metadata")
    except (msgspec.DecodeError, RequestError):
        return {}
    if not isinstance(found, dict):
        return {}
    pairs = [(key, value) for key, value in found.items() if isinstance(value, str)]
    return {
        key: value for key, value in pairs[:MOST_KEYS] if 1 <= len(key) <= LONGEST_KEY and len(value) <= LONGEST_VALUE
    }


def session_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return what groups calls, empty where they say nothing. It is never authorisation; the longest part of it counts."""
    for name in SESSIONS:
        said = headers.get(name)
        if said:
            return said[:LONGEST_SESSION]
    return b""


def _wrong(why: str) -> RequestError:
    return RequestError(
        f"{METADATA.decode()} cannot be used: {why}. Send one flat JSON object, such as "
        '{"project": "search", "run": "17"}.',
        param=METADATA.decode(),
    )
