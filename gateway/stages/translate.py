"""Stage 7: the request as the provider gets it. Same dialect: the client's bytes, but for what must differ."""

from gateway.credentials.tokens import FETCH_WITHIN_S
from gateway.dialects import registry
from gateway.dialects.lanes import Lane
from gateway.dialects.registry import Service
from gateway.runtime import Runtime
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


async def translate(call: Call, grant: Grant, deployment: DeploymentPolicy, runtime: Runtime) -> UpstreamRequest:
    """Return the outbound request. Of the client's headers none is passed on but what a lane lists.

    Waits for nothing but an access token that is not at hand. Raises RequestError for what the provider's dialect cannot
    say, UpstreamError (upstream_credential) where the provider's credential cannot be used.
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
    url, way = deployment.base_url + outbound.path, deployment.auth or registry.PROVIDERS[deployment.dialect].auth
    proof = runtime.credentials.at_hand(way, deployment, url, headers, outbound.body)
    if proof is None:
        proof = await call.watch.upstream(runtime.credentials.fetched(way, deployment), 2 * FETCH_WITHIN_S)
    headers.update(proof)
    return UpstreamRequest(deployment, url, headers, outbound.body)
