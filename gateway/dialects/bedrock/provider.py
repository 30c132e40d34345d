"""Converse as a provider's format: see `ProviderFormat`."""

from urllib.parse import quote

from gateway.dialects.bedrock.outgoing import write_request
from gateway.dialects.bedrock.reader import ConverseReader, read_answer
from gateway.dialects.canonical import Answer, Failed, Request
from gateway.dialects.lanes import Outbound
from gateway.snapshot import DeploymentPolicy

STREAM_HEADERS = {"accept": "application/vnd.amazon.eventstream"}


def outbound(deployment: DeploymentPolicy, streamed: bool, body: bytes) -> Outbound:
    """Return a request to Converse or ConverseStream; the model is in the path, ARNs with their slashes encoded."""
    path = path_of(deployment, "converse-stream" if streamed else "converse")
    return Outbound(path, body, STREAM_HEADERS if streamed else {})


def path_of(deployment: DeploymentPolicy, operation: str) -> str:
    """Return the path of an operation on a deployment's model."""
    return f"/model/{quote(deployment.upstream_model, safe='')}/{operation}"


class ConverseProvider:
    """See `ProviderFormat`."""

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """See `ProviderFormat.write`."""
        body = write_request(request, deployment.upstream_model, cap)
        return outbound(deployment, request.streamed, body)

    def read(self, body: bytes) -> Answer | Failed | None:
        """See `ProviderFormat.read`."""
        return read_answer(body)

    def reader(self, choices: int) -> ConverseReader:
        """See `ProviderFormat.reader`."""
        return ConverseReader()
