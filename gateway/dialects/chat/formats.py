"""OpenAI's chat for `gateway.dialects.registry`: as what clients speak, and as what providers speak."""

from collections.abc import Callable

from gateway.dialects.canonical import Answer, Failed, Request
from gateway.dialects.chat.answer import read_answer, write_answer
from gateway.dialects.chat.outgoing import write_request
from gateway.dialects.chat.reader import ChatReader
from gateway.dialects.chat.request import read_request
from gateway.dialects.chat.writer import ChatWriter
from gateway.dialects.lanes import Outbound
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


class ChatClient:
    """See `ClientFormat`."""

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        return read_request(request)

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`."""
        return write_answer(answer)

    def writer(self, request: ParsedRequest) -> ChatWriter:
        """See `ClientFormat.writer`."""
        return ChatWriter(request.usage_wanted)


class ChatProvider:
    """See `ProviderFormat`."""

    def __init__(self, place: Callable[[DeploymentPolicy, str], str] = lambda _, path: path) -> None:
        """`place` returns where an operation stands below the base URL of a deployment."""
        self._place = place

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """See `ProviderFormat.write`."""
        return Outbound(self._place(deployment, "/chat/completions"), write_request(request, deployment, cap))

    def read(self, body: bytes) -> Answer | Failed | None:
        """See `ProviderFormat.read`."""
        return read_answer(body)

    def reader(self, choices: int) -> ChatReader:
        """See `ProviderFormat.reader`."""
        return ChatReader()
