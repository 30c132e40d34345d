"""Messages for `gateway.dialects.registry`: as what clients speak, and as what providers speak."""

from gateway.dialects.anthropic.answer import read_answer, write_answer
from gateway.dialects.anthropic.lane import VERSION
from gateway.dialects.anthropic.outgoing import write_request
from gateway.dialects.anthropic.reader import MessagesReader
from gateway.dialects.anthropic.request import read_request
from gateway.dialects.anthropic.writer import MessagesWriter
from gateway.dialects.canonical import Answer, Failed, Request
from gateway.dialects.lanes import Outbound
from gateway.dialects.translation import EventWriter
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


class MessagesClient:
    """See `ClientFormat`."""

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        return read_request(request)

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`."""
        return write_answer(answer)

    def writer(self, request: ParsedRequest) -> EventWriter:
        """See `ClientFormat.writer`."""
        return MessagesWriter()


class MessagesProvider:
    """See `ProviderFormat`."""

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """See `ProviderFormat.write`."""
        return Outbound("/messages", write_request(request, cap), {"anthropic-version": VERSION})

    def read(self, body: bytes) -> Answer | Failed | None:
        """See `ProviderFormat.read`."""
        return read_answer(body)

    def reader(self, choices: int) -> MessagesReader:
        """See `ProviderFormat.reader`."""
        return MessagesReader()
