"""Converse to providers that speak it: bytes pass as they are, but for a missing cap; frames are read in passing."""

from collections.abc import Mapping

from gateway.dialects.bedrock.eventstream import Frame, FrameBuffer
from gateway.dialects.bedrock.provider import outbound
from gateway.dialects.bedrock.reader import failed
from gateway.dialects.bedrock.usage import usage_of
from gateway.dialects.lanes import Outbound, Whole
from gateway.dialects.members import Members
from gateway.dialects.openai_usage import Collector, generated
from gateway.dialects.shapes import answered, said
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest, Usage


class ConverseLane:
    """See `Lane`."""

    def outbound(
        self, request: ParsedRequest, deployment: DeploymentPolicy, cap: int, headers: Mapping[bytes, bytes]
    ) -> Outbound:
        """See `Lane.outbound`."""
        body = request.members.body
        if request.output_cap is None and cap:
            body = request.members.replaced({"inferenceConfig": _capped(request.members.raw("inferenceConfig"), cap)})
        return outbound(deployment, request.streamed, body)

    def whole(self, request: ParsedRequest, body: bytes) -> Whole | None:
        """See `Lane.whole`."""
        given = answered(body)
        if given is None:
            return None
        usage = usage_of(given.get("usage"))
        if "output" not in given and (words := said(given.get("message"))):
            return Whole(body, usage, {"message": words}, 502)
        return Whole(body, usage, made=generated(body) if usage is None else ())

    def stream(self, request: ParsedRequest) -> "ConverseStream":
        """See `Lane.stream`."""
        return ConverseStream()


class ConverseStream:
    """See `Stream`."""

    __slots__ = ("_buffer", "_collector", "_stopped", "done", "error", "prompt_usage", "usage")

    def __init__(self) -> None:
        self._buffer = FrameBuffer()
        self._collector = Collector()
        self._stopped = False
        self.prompt_usage: Usage | None = None  # the last frame alone tells usage
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
        """See `Stream.end`. Only the usage may be missing."""
        self.done = self.done or self._stopped
        return b""

    def cut(self) -> bytes:
        """Only whole frames were passed on."""
        return b""

    @property
    def made(self) -> int:
        """See `Stream.made`."""
        return self._collector.size

    def fragments(self) -> list[bytes]:
        """See `Stream.fragments`."""
        return self._collector.collect()

    def _read(self, frame: Frame) -> None:
        if frame.headers.get(":message-type") != "event":
            self.error = failed(frame).error
            return
        name = frame.headers.get(":event-type")
        if name == "contentBlockDelta":
            self._collector.add(frame.payload)
        elif name == "messageStop":
            self._stopped = True
        elif name == "metadata":
            self.usage = usage_of((answered(frame.payload) or {}).get("usage"))
            self.done = True


def _capped(config: bytes | None, cap: int) -> bytes:
    if config is None or config == b"null":
        return b'{"maxTokens":%d}' % cap
    return Members(config, 'The parameter "inferenceConfig"').replaced({"maxTokens": b"%d" % cap})
