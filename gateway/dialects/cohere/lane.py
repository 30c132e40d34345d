"""Cohere's chat and embed to Cohere itself: bytes pass as they are, but for the model and a missing cap."""

import re
from collections.abc import Mapping

import msgspec

from gateway.dialects.cohere.provider import path_of
from gateway.dialects.cohere.usage import usage_of
from gateway.dialects.lanes import Outbound, Stream, Whole
from gateway.dialects.openai_usage import generated
from gateway.dialects.relayed import RelayedStream
from gateway.dialects.shapes import answered, said
from gateway.dialects.sse import data_of, events
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest

# Quotes within texts are escaped, so this is a member of the event itself.
_READ = re.compile(rb'"type"\s*:\s*"message-end"|data:\s*\{\s*"message"\s*:\s*"')


class CohereLane:
    """See `Lane`."""

    def __init__(self, operation: str) -> None:
        """`operation`: /chat or /embed; both tell in one of two places what they bill."""
        self._operation = operation

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        changes = {"model": msgspec.json.encode(deployment.upstream_model)}
        if request.output_cap is None and cap:
            changes["max_tokens"] = str(cap).encode()
        return Outbound(path_of(deployment, self._operation), request.members.replaced(changes))

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        given = answered(body)
        if given is None:
            return None
        usage = usage_of(given.get("usage") or given.get("meta"))
        if words := said(given.get("message")):
            return Whole(body, usage, {"message": words}, 502)
        return Whole(body, usage, made=generated(body) if usage is None else ())

    def stream(self, request: ParsedRequest) -> Stream:
        """See `Lane.stream`."""
        return CohereStream()


class CohereStream(RelayedStream):
    """See `Stream`. The last event alone tells usage, or the error."""

    __slots__ = ()

    reads = _READ

    def read(self, block: bytes) -> bytes:
        """See `RelayedStream.read`."""
        kept = []
        for event in events(block):
            if _READ.search(event):
                given = answered(data_of(event)) or {}
                delta = given.get("delta")
                delta = delta if isinstance(delta, dict) else {}
                self.usage = usage_of(delta.get("usage")) or self.usage
                words = said(delta.get("error")) or ("" if given.get("type") else said(given.get("message")))
                if words:
                    self.error = {"message": words, "type": "api_error"}
                    break
                self.done = self.done or given.get("type") == "message-end"
            kept.append(event)
        return b"".join(kept)
