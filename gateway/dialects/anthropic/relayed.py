"""A streamed message on its way through: relayed as it comes, read only where it must be."""

import re
from typing import Any

from gateway.dialects.anthropic.errors import error_of
from gateway.dialects.anthropic.usage import merged, tells_output, usage_of
from gateway.dialects.relayed import RelayedStream
from gateway.dialects.shapes import answered
from gateway.dialects.sse import data_of, events

# Quotes within texts are escaped, so these are members of the events themselves.
_READ = re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"')


class MessagesStream(RelayedStream):
    """Usage counts as said once the answer's is told; the prompt's is known from the start."""

    __slots__ = ("_known",)

    reads = _READ

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Any] = {}

    def read(self, block: bytes) -> bytes:
        """See `RelayedStream.read`."""
        kept = []
        for event in events(block):
            if _READ.search(event):
                given = answered(data_of(event)) or {}
                kind = given.get("type")
                if kind == "error":
                    error, status = error_of(given.get("error"))
                    self.error = error | {"code": status}
                    break
                self._note(str(kind), given)
            kept.append(event)
        return b"".join(kept)

    def _note(self, kind: str, given: dict[str, Any]) -> None:
        """Take the prompt's usage from the start; with the answer's it is whole, and only then it counts as said."""
        if kind == "message_start" and isinstance(given.get("message"), dict):
            self._known = merged({}, given["message"].get("usage"))
            self.prompt_usage = usage_of(self._known)
        elif kind == "message_delta" and tells_output(given.get("usage")):
            self._known = merged(self._known, given["usage"])
            self.usage = usage_of(self._known)
        self.done = self.done or kind == "message_stop"
