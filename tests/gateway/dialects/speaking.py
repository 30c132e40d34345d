"""Bodies through codecs without a network, and what official SDKs make of what comes out."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.dialects.members import Members
from gateway.types import ParsedRequest
from tests.factories import gateway as make

GOLDEN = Path(__file__).parents[2] / "golden"
PLACE = make.deployment("https://provider.test/v1", upstream_model="claude-sonnet-4-5")
OPENAI = make.deployment("https://api.openai.com/v1", upstream_model="gpt-5")


def parsed(parse: Callable[[Members], ParsedRequest], body: dict[str, Any]) -> ParsedRequest:
    """Read a body as a client's."""
    return parse(Members(json.dumps(body).encode()))


def golden(dialect: str, name: str) -> bytes:
    """Return a recorded stream."""
    stream: str = json.loads((GOLDEN / dialect / f"{name}.json").read_text())["stream"]
    return stream.encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at these places, wherever they fall."""
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


def chunks(stream: bytes) -> list[Any]:
    """Return the data of a stream's events, `[DONE]` as a text."""
    found = []
    for event in stream.decode().strip().split("\n\n"):
        data = next(line for line in event.split("\n") if line.startswith("data: "))[6:]
        found.append("[DONE]" if data == "[DONE]" else json.loads(data))
    return found
