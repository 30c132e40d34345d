"""Ids of responses on their way to the client: ours in place of the provider's, in a whole answer and in every event.

Of a stream only the events that hold a response are read (`response.created`, `.queued`, `.in_progress` and those at the
end); no other event names it (openai 3.52.0, types/responses/*_event.py).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.members import Members
from gateway.dialects.responses.usage import usage_of
from gateway.dialects.shapes import answered, listed
from gateway.dialects.sse import data_of, events
from gateway.errors import RequestError
from gateway.types import Usage

# Quotes within texts are escaped, so this is a member of the event itself.
_HOLDS = re.compile(rb'"response"\s*:\s*\{')
ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})


class Renaming:
    """Gives a response our `id` on its way out. `previous` is ours of the response that it goes on from, "" for none.

    `upstream` is the provider's id, "" until it was seen; `status`, `usage` and `items` are what was said last.
    `lost`: it could not be noted that the response is kept, so it says `store: false`.
    """

    __slots__ = ("id", "items", "lost", "previous", "status", "upstream", "usage")

    def __init__(self, id_: str, previous: str = "") -> None:
        self.id, self.previous = id_, previous
        self.upstream = self.status = ""
        self.usage: Usage | None = None
        self.items: tuple[str, ...] = ()
        self.lost = False

    def look(self, block: bytes) -> None:
        """Take note of what whole events say of the response."""
        for response in responses_in(block):
            self.read(response)

    def read(self, response: object) -> None:
        """Take note of what a response object says."""
        if not isinstance(response, dict) or not isinstance(response.get("id"), str):
            return
        self.upstream = self.upstream or response["id"]
        self.status = str(response.get("status") or "")
        self.usage = usage_of(response.get("usage")) or self.usage
        self.items = items_of(response) or self.items

    def events(self, block: bytes) -> bytes:
        """Return whole events with our ids; all other bytes stay."""
        if not _HOLDS.search(block):
            return block
        return b"".join(self._event(event) if _HOLDS.search(event) else event for event in events(block))

    def whole(self, body: bytes) -> bytes:
        """Return a response object with our ids; all other bytes stay."""
        return renamed(body, self._changes())

    def _event(self, event: bytes) -> bytes:
        data = data_of(event)
        try:
            members = Members(data)
            response = members.raw("response")
            if response is None:
                return event
            changed = members.replaced({"response": renamed(response, self._changes())})
        except RequestError:
            return event  # it is no event of this API
        if data in event:
            return event.replace(data, changed, 1)
        kind = re.search(rb"(?:\A|[\r\n])event:[^\r\n]*", event)
        lead = kind[0].strip() + b"\n" if kind else b""
        return lead + b"data: " + changed.replace(b"\n", b" ") + b"\n\n"  # line feeds only stand between members

    def _changes(self) -> dict[str, Any]:
        changes: dict[str, Any] = {"id": self.id, "previous_response_id": self.previous or None}
        return changes | ({"store": False} if self.lost else {})


def responses_in(block: bytes) -> list[dict[str, Any]]:
    """Return the response objects that whole events hold."""
    if not _HOLDS.search(block):
        return []
    found = [(answered(data_of(event)) or {}).get("response") for event in events(block) if _HOLDS.search(event)]
    return [response for response in found if isinstance(response, dict)]


def renamed(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return a JSON object with other values for those of these members that it has. Raises RequestError."""
    members = Members(body)
    return members.replaced({name: msgspec.json.encode(value) for name, value in changes.items() if name in members})


def items_of(response: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the items that a response made."""
    return tuple(item["id"] for item in listed(response.get("output")) if isinstance(item.get("id"), str))
