"""Streams cut into events by the tests themselves."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamBuffer


def data_events(data: bytes) -> list[Any]:
    """Return the data of server-sent events, `[DONE]` as a text. Fails where an event is not whole."""
    text = data.decode().replace("\r\n", "\n")
    assert text.endswith("\n\n"), "the last event is not whole"
    found = []
    for event in text.split("\n\n")[:-1]:
        lines = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        if lines:
            found.append(lines[0] if lines == ["[DONE]"] else json.loads("\n".join(lines)))
    return found


def frames(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and payload of AWS's frames, exceptions among them, as botocore cuts and checks them."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    for event in buffer:
        headers = event.headers
        yield headers.get(":event-type") or headers[":exception-type"], json.loads(event.payload)


def cuts(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of one size."""
    return [data[at : at + size] for at in range(0, len(data), size)]
