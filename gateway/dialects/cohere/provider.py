"""Cohere's chat as a provider's format: see `ProviderFormat`."""

from gateway.dialects.canonical import Answer, Failed, Request
from gateway.dialects.cohere.answer import read_answer
from gateway.dialects.cohere.outgoing import write_request
from gateway.dialects.cohere.reader import CohereReader
from gateway.dialects.lanes import Outbound
from gateway.snapshot import DeploymentPolicy


def path_of(deployment: DeploymentPolicy, operation: str) -> str:
    """Return the path of an operation such as /chat. The address may be given with /v2 at its end."""
    return operation if deployment.base_url.endswith("/v2") else "/v2" + operation


class CohereProvider:
    """See `ProviderFormat`."""

    def write(self, request: Request, deployment: DeploymentPolicy, cap: int) -> Outbound:
        """See `ProviderFormat.write`."""
        return Outbound(path_of(deployment, "/chat"), write_request(request, cap))

    def read(self, body: bytes) -> Answer | Failed | None:
        """See `ProviderFormat.read`."""
        return read_answer(body)

    def reader(self, choices: int) -> CohereReader:
        """See `ProviderFormat.reader`."""
        return CohereReader()
