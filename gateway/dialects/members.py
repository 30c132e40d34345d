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
_KEY = re.compile(rb'[ \t\n\r]*+"((?:[^"\\]++|\\.)*+)"[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
_NEXT = re.compile(rb"[ \t\n\r]*([,}])")
_COMMA = ord(",")
_OPEN = re.compile(rb"[ \t\n\r]*\{")


class Members:
    """A JSON object by its top-level members. `spans` gives where each value stands in `body`."""

    __slots__ = ("body", "spans")

    def __init__(self, body: bytes, what: str = "The request's body") -> None:
        """Read `body`. Raises RequestError (400) when it is no JSON object, or names a member twice."""
        values = _decode(body, what)
        opening = _OPEN.match(body)
        if opening is None:
            raise RequestError(f"{what} must be a JSON object.")
        self.body = body
        self.spans = _walk(body, opening.end(), values)

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
        pieces, position = [], 0
        for name, (start, end) in self.spans.items():
            if name in changes:
                pieces += [self.body[position:start], changes[name]]
                position = end
        added = [msgspec.json.encode(name) + b":" + value for name, value in changes.items() if name not in self.spans]
        if not added:
            return b"".join([*pieces, self.body[position:]])
        close = self.body.rindex(b"}")
        lead = b"," if self.spans else b""
        return b"".join([*pieces, self.body[position:close], lead, b",".join(added), self.body[close:]])


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


def _walk(body: bytes, position: int, values: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Find each value: its length is known, so nothing within is looked at."""
    spans: dict[str, tuple[int, int]] = {}
    key_at = _KEY.match
    for _ in values:
        key = key_at(body, position)
        if key is None:
            raise _twice(None)
        quoted, start = key[1], key.end()
        name = quoted.decode() if b"\\" not in quoted else msgspec.json.decode(b'"' + quoted + b'"', type=str)
        value = bytes(memoryview(values[name]))  # views are compared byte by byte in a slow loop, bytes at once
        end = start + len(value)
        if name in spans or not body.startswith(value, start):
            raise _twice(name)
        spans[name] = start, end
        position = end + 1
        if body[end] != _COMMA:
            ends = _NEXT.match(body, end)
            if ends is None:
                raise _twice(name)
            position = ends.end()
    if position < len(body) and body[position:].strip(b" \t\n\r") not in {b"", b"}"}:
        raise _twice(None)  # one more member: its name was seen before
    return spans


def _twice(name: str | None) -> RequestError:
    shown = f"the member {name[:60]!r}" if name is not None else "a member"
    return RequestError(
        f"The request's body names {shown} twice. Readers of JSON differ in which one counts, so send it once.",
        param=name,
    )
