"""Stage 7: the request as the provider gets it. Same dialect: the client's bytes, but for what must differ."""

from gateway.dialects.profiles import profile_of
from gateway.dialects.registry import SERVICES, Service
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from gateway.types import Call, Grant, UpstreamRequest

USER_AGENT = "atrium-gateway"


def service_of(call: Call) -> Service:
    """Return how this kind of call is served by providers."""
    return SERVICES[call.endpoint.dialect, call.endpoint.kind]


def output_cap(model: ModelPolicy) -> int:
    """Return the cap of one answer that is sent where the client set none; 0: the model has no limit that we know."""
    return model.max_output_tokens


def translate(call: Call, grant: Grant, deployment: DeploymentPolicy) -> UpstreamRequest:
    """Return the outbound request. Of the client's headers none is passed on but what is listed here."""
    service = service_of(call)
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if grant.request.streamed else "application/json",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "x-request-id": call.request_id,
    }
    credential = deployment.credential.strip()  # files that hold one end with a line feed
    if credential:
        headers["authorization"] = f"Bearer {credential}"
    beta = call.headers.get(b"openai-beta", b"").decode("latin-1")
    if beta and beta.isascii() and beta.isprintable():
        headers["openai-beta"] = beta
    body = service.codec.outbound(
        grant.request, deployment.upstream_model, profile_of(deployment).cap_name, output_cap(grant.model)
    )
    return UpstreamRequest(deployment, deployment.base_url + service.path, headers, body)
