"""A streamed response on its way through: relayed as it comes, read only where it must be."""

import re
from typing import Any

from gateway.dialects.openai_answer import as_detail
from gateway.dialects.relayed import RelayedStream
from gateway.dialects.responses.usage import deltas, usage_of
from gateway.dialects.shapes import answered
from gateway.dialects.sse import data_of, events

MAX_EVENT = 8 << 20  # bytes; the last event says the whole response again
FAILED = "The provider says that the response failed."
# Quotes within texts are escaped, so these are members of the events themselves.
_READ = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
_ENDS = ("response.completed", "response.incomplete")


class ResponsesStream(RelayedStream):
    """Nothing is said of the prompt alone: the usage of a response that has begun is null."""

    __slots__ = ()

    reads = _READ

    def __init__(self) -> None:
        super().__init__(MAX_EVENT, deltas)

    def read(self, block: bytes) -> bytes:
        """See `RelayedStream.read`."""
        kept = []
        for event in events(block):
            if _READ.search(event):
                given = answered(data_of(event)) or {}
                response = given.get("response")
                response = response if isinstance(response, dict) else {}
                self.usage = usage_of(response.get("usage")) or self.usage
                self.done = self.done or given.get("type") in _ENDS
                if given.get("type") == "error":
                    self.error = error_of(given.get("error") or given)
                elif given.get("type") == "response.failed":
                    self.error = error_of(response.get("error"))
                if self.error is not None:
                    break
            kept.append(event)
        return b"".join(kept)


def error_of(given: object) -> dict[str, Any]:
    """Return the error object of a response or of an event, with a message."""
    detail = as_detail(given)
    said = {name: detail[name] for name in ("message", "code", "param") if detail.get(name)}
    kind = detail.get("type")
    return {"message": FAILED} | said | ({"type": kind} if kind and kind != "error" else {})
