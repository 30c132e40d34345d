"""Stage 7: the request as the provider gets it. Same dialect: the client's bytes, but for what must differ."""

from gateway.dialects import registry
from gateway.dialects.lanes import Lane
from gateway.dialects.registry import Service
from gateway.snapshot import DeploymentPolicy, ModelPolicy
from gateway.types import Call, Grant, UpstreamRequest

USER_AGENT = "atrium-gateway"


def service_of(call: Call) -> Service:
    """Return how this kind of call is read."""
    return registry.service_of(call.endpoint)


def lane_of(call: Call, deployment: DeploymentPolicy) -> Lane:
    """Return the way of this call to a deployment that `candidates` named, and back."""
    lane = registry.lane_of(call.endpoint, deployment)
    if lane is None:
        raise RuntimeError("a candidate has a lane")
    return lane


def output_cap(model: ModelPolicy) -> int:
    """Return the cap of one answer that is sent where the client set none; 0: the model has no limit that we know."""
    return model.max_output_tokens


def translate(call: Call, grant: Grant, deployment: DeploymentPolicy) -> UpstreamRequest:
    """Return the outbound request. Of the client's headers none is passed on but what a lane lists.

    Raises RequestError for what the provider's dialect cannot say.
    """
    outbound = lane_of(call, deployment).outbound(grant.request, deployment, output_cap(grant.model), call.headers)
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if grant.request.streamed else "application/json",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "x-request-id": call.request_id,
        **outbound.headers,
    }
    credential = deployment.credential.strip()  # files that hold one end with a line feed
    if credential:
        headers["authorization"] = f"Bearer {credential}"
    return UpstreamRequest(deployment, deployment.base_url + outbound.path, headers, outbound.body)
