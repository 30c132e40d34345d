"""The top-level members of a JSON object as slices of its bytes, so that single values can be replaced in place.

Everything else, whitespace, order, number spellings and unknown fields included, leaves as it came. msgspec validates
the document and measures each value at C speed; only the keys are walked here.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import RequestError

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SPACE = b" \t\n\r"
_NAME = re.compile(rb'[ \t\n\r]*+[{,][ \t\n\r]*+("(?:[^"\\]++|\\.)*+")[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)


class Members:
    """A JSON object by its top-level members. `spans` gives where each value stands in `body`."""

    __slots__ = ("body", "spans")

    def __init__(self, body: bytes, what: str = "The request's body") -> None:
        """Read `body`. Raises RequestError (400) when it is no JSON object, or names a member twice."""
        self.body = body
        values = _decode(body, what)
        self.spans = _without_spaces(body, values) or _walk(body, values)

    def __contains__(self, name: str) -> bool:
        return name in self.spans

    def raw(self, name: str) -> bytes | None:
        """Return the bytes of a member's value, None when it is absent."""
        span = self.spans.get(name)
        return None if span is None else self.body[span[0] : span[1]]

    def value(self, name: str) -> Any:
        """Return a member's value, decoded; None when it is absent or null."""
        raw = self.raw(name)
        return None if raw is None else msgspec.json.decode(raw)

    def size(self, name: str) -> int:
        """Return how many bytes a member's value takes."""
        start, end = self.spans.get(name, (0, 0))
        return end - start

    def replaced(self, changes: Mapping[str, bytes]) -> bytes:
        """Return the document with these values in place of the old ones; absent members are added at the end."""
        body, spans = self.body, self.spans
        pieces, position = [], 0
        present = [(spans[name], value) for name, value in changes.items() if name in spans]
        present.sort()
        for (start, end), value in present:
            pieces.append(body[position:start])
            pieces.append(value)
            position = end
        if len(present) == len(changes):
            return b"".join([*pieces, body[position:]])
        added = [msgspec.json.encode(name) + b":" + value for name, value in changes.items() if name not in spans]
        close = body.rindex(b"}")
        lead = b"," if spans else b""
        return b"".join([*pieces, body[position:close], lead, b",".join(added), body[close:]])


def _decode(body: bytes, what: str) -> dict[str, msgspec.Raw]:
    try:
        if not body.isascii():
            body.decode()  # msgspec does not look into the strings of raw values
        return _RAW.decode(body)
    except msgspec.ValidationError:
        raise RequestError(f"{what} must be a JSON object.") from None
    except msgspec.DecodeError as error:
        if not body:
            raise RequestError(f"{what} is empty. Send a JSON object.") from None
        raise RequestError(f"{what} is not valid JSON: {_reason(error)}.") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{what} is not valid UTF-8 (byte {error.start}). JSON must be.") from None
    except RecursionError:
        raise RequestError(f"{what} is nested too deeply.") from None


def _reason(error: msgspec.DecodeError) -> str:
    """Return msgspec's words, which give a position and never quote the document."""
    words = str(error).removeprefix("JSON is malformed: ")
    return "it ends too early" if "truncated" in words else words


def _without_spaces(body: bytes, values: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int]] | None:
    """Find each value by lengths alone, as SDKs write documents: no spaces, no escapes in names. None: look closer.

    No document is shorter than that with the same members. So one that is not longer has nothing else in it, such as a
    member that is named twice.
    """
    spans: dict[str, tuple[int, int]] = {}
    end = 0
    for name, raw in values.items():
        start = end + len(name) + 4  # after `{` or `,`, and `"name":`
        end = start + len(raw)
        spans[name] = start, end
    return spans if end + 1 == len(body) else None


def _walk(body: bytes, values: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Find each value: its length is known, so nothing within is looked at.

    `values` has each name once, in the order of its first appearance, with its last value. So a body that has as many
    members as `values`, with the same values, names none twice.
    """
    spans: dict[str, tuple[int, int]] = {}
    name_at, position = _NAME.match, 0
    for name, raw in values.items():
        value, found = bytes(raw), name_at(body, position)
        if found is None:
            raise _twice(None)
        start = found.end()
        if not body.startswith(value, start):  # that is an earlier value of this name, or the name was seen before
            raise _twice(msgspec.json.decode(found[1], type=str))
        position = start + len(value)
        spans[name] = start, position
    if spans and body[position:].strip(_SPACE) != b"}":
        raise _twice(None)  # one more member: its name was seen before
    return spans


def _twice(name: str | None) -> RequestError:
    shown = f"the member {name[:60]!r}" if name is not None else "a member"
    return RequestError(
        f"The request's body names {shown} twice. Readers of JSON differ in which one counts, so send it once.",
        param=name,
    )
