"""Anthropic's Messages within InvokeModel: as they are to Claude on Bedrock, and in frames for clients that speak them."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.anthropic.formats import MessagesClient
from gateway.dialects.anthropic.lane import MessagesLane, harmless
from gateway.dialects.anthropic.relayed import MessagesStream
from gateway.dialects.anthropic.writer import MessagesWriter
from gateway.dialects.bedrock.eventstream import Frame, FrameBuffer, encoded
from gateway.dialects.bedrock.provider import STREAM_HEADERS, path_of
from gateway.dialects.bedrock.reader import failed
from gateway.dialects.bedrock.usage import invocation_usage, written_metrics
from gateway.dialects.canonical import Begun, Event, Used
from gateway.dialects.lanes import Outbound, Stream
from gateway.dialects.shapes import answered, said
from gateway.dialects.sse import data_of, events
from gateway.dialects.translation import EventWriter
from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage

JSON = "application/json"
METRICS = "amazon-bedrock-invocationMetrics"  # what Bedrock adds to a stream's last event
_METRICS = METRICS.encode()


class InvokeLane(MessagesLane):
    """See `Lane`: to Claude on Bedrock. Bytes pass as they are, but for betas that may change what it costs."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`. The client must say a cap itself, so ours is never needed."""
        body, betas = request.members.body, request.members.value("anthropic_beta")
        if betas and (passed := harmless(betas, "anthropic_beta")) != betas:
            body = request.members.replaced({"anthropic_beta": msgspec.json.encode(passed)})
        if request.streamed:
            said = STREAM_HEADERS | {"x-amzn-bedrock-accept": JSON}
            return Outbound(path_of(deployment, "invoke-with-response-stream"), body, said)
        return Outbound(path_of(deployment, "invoke"), body)

    def stream(self, request: ParsedRequest) -> Stream:
        """See `Lane.stream`."""
        return InvokeStream()


class InvokeStream:
    """See `Stream`: frames pass as they are; the event in each is read as Anthropic's own API would send it."""

    __slots__ = ("_buffer", "_inner", "done", "error", "prompt_usage", "usage")

    def __init__(self) -> None:
        self._buffer = FrameBuffer()
        self._inner = MessagesStream()
        self.prompt_usage: Usage | None = None
        self.usage: Usage | None = None
        self.done = False
        self.error: object = None

    def feed(self, data: bytes) -> bytes:
        """See `Stream.feed`. Raises UpstreamError where a frame is damaged."""
        passed = []
        for frame in self._buffer.feed(data):
            if not self.done and self.error is None:
                self._read(frame)
                if self.error is None:
                    passed.append(frame.raw)
        return b"".join(passed)

    def end(self) -> bytes:
        """See `Stream.end`. A message without `message_stop` is not complete."""
        return b""

    def cut(self) -> bytes:
        """Only whole frames were passed on."""
        return b""

    @property
    def made(self) -> int:
        """See `Stream.made`."""
        return self._inner.made

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return self._inner.fragments()

    def _read(self, frame: Frame) -> None:
        if frame.headers.get(":message-type") != "event":
            self.error = failed(frame).error
            return
        event, inner = _unframed(frame), self._inner
        inner.feed(b"data: " + event.replace(b"\n", b" ") + b"\n\n")
        self.prompt_usage, self.usage = inner.prompt_usage, inner.usage
        self.done, self.error = inner.done, inner.error
        if self.usage is None and _METRICS in event:  # Amazon tells it at the end, where the message does not
            self.usage = invocation_usage((answered(event) or {}).get(METRICS))


class InvokeClient(MessagesClient):
    """See `ClientFormat`: requests and whole answers are Anthropic's; streams stand in Amazon's frames."""

    def writer(self, request: ParsedRequest) -> EventWriter:
        """See `ClientFormat.writer`."""
        return InvokeWriter()


class InvokeWriter:
    """See `EventWriter`."""

    def __init__(self) -> None:
        self._writer = MessagesWriter()
        self._usage: Usage | None = None

    def write(self, given: list[Event]) -> bytes:
        """See `EventWriter.write`."""
        for event in given:
            if isinstance(event, Begun | Used):
                self._usage = event.usage or self._usage
        written = events(self._writer.write(given))
        return b"".join([self._framed(data_of(event)) for event in written])

    def _framed(self, event: bytes) -> bytes:
        if event == b'{"type":"message_stop"}':
            event = msgspec.json.encode({"type": "message_stop", METRICS: written_metrics(self._usage)})
        headers = {":event-type": "chunk", ":content-type": JSON, ":message-type": "event"}
        return encoded(headers, msgspec.json.encode({"bytes": b64encode(event).decode()}))


def _unframed(frame: Frame) -> bytes:
    """Return the event in a frame, b"" where it holds none. Raises UpstreamError where it cannot be read."""
    payload: dict[str, Any] = answered(frame.payload) or {}
    try:
        return b64decode(said(payload.get("bytes")), validate=True)
    except (Base64Error, ValueError):
        raise UpstreamError("The provider's stream is damaged: a frame's content is no base64. Try again.") from None
