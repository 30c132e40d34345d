"""Gemini for `gateway.dialects.registry`: as what clients speak, and as what providers speak."""

from gateway.dialects.canonical import Answer, Failed, Request
from gateway.dialects.gemini import answers, client, outgoing
from gateway.dialects.gemini.lane import generate_path
from gateway.dialects.gemini.reader import GeminiReader
from gateway.dialects.gemini.writer import GeminiWriter
from gateway.dialects.lanes import Outbound
from gateway.snapshot import DeploymentPolicy
from gateway.types import ParsedRequest


class GeminiClient:
    """See `ClientFormat`."""

    def __init__(self, *, array: bool = False) -> None:
        """`array`: the client gets a stream as one JSON array."""
        self._array = array

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        return client.read(request)

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`."""
        return answers.written_answer(answer, thoughts=client.thoughts_wanted(request))

    def writer(self, request: ParsedRequest) -> GeminiWriter:
        """See `ClientFormat.writer`."""
        return GeminiWriter(array=self._array, thoughts=client.thoughts_wanted(request))


class GeminiProvider:
    """See `ProviderFormat`."""

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """See `ProviderFormat.write`."""
        body = outgoing.write_request(request, deployment.upstream_model, cap)
        return Outbound(generate_path(deployment, streamed=request.streamed), body)

    def read(self, body: bytes) -> Answer | Failed | None:
        """See `ProviderFormat.read`."""
        return answers.read_answer(body)

    def reader(self, choices: int) -> GeminiReader:
        """See `ProviderFormat.reader`."""
        return GeminiReader(choices)
