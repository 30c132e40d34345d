"""How one call shall be answered: from a queue, or from markers in the prompt."""

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any

_MARKER = re.compile(rb"fake:([a-z_]+)(?:=([A-Za-z0-9_.:/+-]+))?")


@dataclass(frozen=True)
class Plan:
    """One answer. Defaults: 200 at once, five chunks of text, true usage.

    As a marker each scalar field is written `fake:name=value`, a flag `fake:name`.
    """

    status: int = 200
    delay: float = 0.0  # seconds before the first byte
    chunks: int = 5  # words of the answer; one chunk each when streamed
    chunk_delay: float = 0.0  # seconds before each chunk
    text: str = ""  # the answer, instead of counted words
    tool: bool = False  # answer with a call of the first tool
    usage: str = ""  # "none": leave usage out
    prompt_tokens: int = -1  # said in usage, instead of what was counted
    completion_tokens: int = -1
    tokens: dict[str, Any] | None = None  # more of the usage object
    reset_first: bool = False  # reset the connection before the first byte
    cut: int = -1  # after this many chunks (0: after the head), reset the connection
    end: int = -1  # after this many chunks, end the answer cleanly, but unfinished
    hang: int = -1  # after this many chunks, say nothing more until the client goes away
    error_inside: bool = False  # 200 with an error object inside; in a stream, after `chunks` chunks
    length: int = 0  # what is added to the right content-length
    huge: int = 0  # bytes of text in the answer, in pieces of 64 KiB when streamed
    encoding: str = ""  # "gzip" or "deflate": compress the answer
    redirect: str = ""  # Location; sets the status to 307
    malformed: bool = False  # JSON (or an event) that does not parse
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # these bytes, then the connection is closed


DEFAULT = Plan()
_TYPES = {f.name: type(getattr(DEFAULT, f.name)) for f in fields(Plan) if f.name not in ("tokens", "headers", "raw")}


def marked(body: bytes, plan: Plan = DEFAULT) -> Plan:
    """Return `plan` with the markers of a request's body applied; unknown markers fail loudly."""
    found: dict[str, Any] = {}
    for name, value in _MARKER.findall(body):
        kind = _TYPES[name.decode()]
        found[name.decode()] = True if kind is bool else kind(value.decode())
    return replace(plan, **found) if found else plan


def from_json(values: dict[str, Any]) -> Plan:
    """Return the plan that a script sent over HTTP describes."""
    return Plan(**values)
