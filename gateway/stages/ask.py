"""Asks the provider that keeps something about it: no model is called, so nothing is reserved and nothing charged."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode

from gateway.credentials.tokens import FETCH_WITHIN_S
from gateway.dialects import azure, registry
from gateway.errors import GatewayError, NotKeptError, ProviderError, StoppedError, UpstreamError
from gateway.kept.records import Kept
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, Snapshot
from gateway.stages.call import refusal_of
from gateway.stages.keep import in_our_words
from gateway.stages.translate import USER_AGENT
from gateway.types import Call, UpstreamRequest
from gateway.upstream import UpstreamResponse

_PATHS = {"response": "/responses", "file": "/files", "batch": "/batches"}


def place_of(kept: Kept, snapshot: Snapshot) -> DeploymentPolicy:
    """Return where an object is kept: the deployment that it was made at, or another of that provider, which is one account.

    Raises NotKeptError where the provider is not in the catalogue any more, StoppedError where it is stopped.
    """
    if ("provider", kept.provider_id) in snapshot.stops:
        raise StoppedError(
            f"The provider that keeps {kept.id} is stopped here. Ask your platform administrators.", status=503
        )
    model = snapshot.models.get(kept.model_id)
    for place in model.deployments if model is not None else ():
        if place.id == kept.deployment_id:
            return place
    for other in snapshot.models.values():
        for place in other.deployments:
            if place.provider_id == kept.provider_id:
                return place
    raise NotKeptError(
        f"{kept.id} is kept by a provider that this gateway does not call any more, so it cannot be reached. Ask your "
        "platform administrators.",
        code="provider_gone",
    )


def path_of(place: DeploymentPolicy, operation: str, query: str = "") -> str:
    """Return the path of an operation such as /responses/resp_1 below a provider's base URL."""
    path = azure.path_of(place, operation) if place.dialect == "azure" else operation
    return path + (("&" if "?" in path else "?") + query if query else "")


def operation_of(kept: Kept, *more: str) -> str:
    """Return the operation on an object, such as /responses/resp_1/cancel."""
    return "/".join([_PATHS[kept.kind], quote(kept.upstream_id, safe=""), *more])


def allowed(query: str, names: Iterable[str]) -> str:
    """Return a query with these parameters alone."""
    known = frozenset(names)
    return urlencode([(name, value) for name, value in parse_qsl(query) if name.removesuffix("[]") in known])


async def request_to(
    place: DeploymentPolicy,
    method: str,
    path: str,
    runtime: Runtime,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Return the outbound request, with who we are. Raises UpstreamError (upstream_credential)."""
    sent = {"accept": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT, **(headers or {})}
    url, way = place.base_url + path, place.auth or registry.PROVIDERS[place.dialect].auth
    proof = runtime.credentials.at_hand(way, place, url, sent, body)
    if proof is None:
        proof = await runtime.credentials.fetched(way, place)
    return UpstreamRequest(place, url, {**sent, **proof}, body, method)


async def ask(
    call: Call,
    kept: Kept,
    place: DeploymentPolicy,
    method: str,
    path: str,
    runtime: Runtime,
    headers: Mapping[str, str] | None = None,
) -> UpstreamResponse:
    """Ask about an object; returns the answer once its head says that it succeeded.

    Raises NotKeptError where the provider does not have it any more, UpstreamError for all other trouble.
    """
    body = b"{}" if method == "POST" else b""
    kind = {"content-type": "application/json"} if body else {}
    within_s = 2 * FETCH_WITHIN_S
    sent = {"x-request-id": call.request_id, **kind, **(headers or {})}
    request = await call.watch.upstream(request_to(place, method, path, runtime, body, sent), within_s)
    try:
        return await send(call, request, runtime)
    except ProviderError as error:
        if error.status == 404:
            raise NotKeptError(
                f"The provider {place.provider} does not keep {kept.id} any more.", code="gone_at_provider"
            ) from error
        in_our_words(error, {kept.upstream_id: kept.id})
        raise


async def send(call: Call, request: UpstreamRequest, runtime: Runtime) -> UpstreamResponse:
    """Send a request; returns the answer once its head says that it succeeded. Raises UpstreamError."""
    place = request.deployment
    within_s = place.connect_timeout_s + place.first_byte_timeout_s
    response = await call.watch.upstream(runtime.upstream.open(request), within_s)
    if response.status == 200:
        return response
    try:
        if response.status == 401:
            runtime.credentials.refused(place)
        raise await refusal_of(call, response, place)
    finally:
        response.close()


async def read(call: Call, response: UpstreamResponse, place: DeploymentPolicy, runtime: Runtime) -> bytes:
    """Return the whole answer. Raises UpstreamError where it breaks off or is larger than answers may be."""
    pieces, size = list[bytes](), 0
    try:
        while data := await call.watch.upstream(response.chunk(), place.idle_timeout_s, begun=bool(pieces)):
            pieces.append(data)
            size += len(data)
            if size > runtime.limits.max_response_bytes:
                raise _too_large(runtime.limits.max_response_bytes)
    finally:
        response.close()
    return b"".join(pieces)


def _too_large(most_bytes: int) -> GatewayError:
    return UpstreamError(f"What is kept is larger than {most_bytes >> 20} MiB, the most this gateway passes.")
