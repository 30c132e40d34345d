"""Opens a session at a provider: a connection of its own, and the handshake of RFC 6455."""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.uri import WebSocketURI

from gateway.credentials.tokens import FETCH_WITHIN_S
from gateway.dialects import registry
from gateway.errors import UpstreamError
from gateway.http import failures
from gateway.http.target import request_head, target_of
from gateway.realtime.socket import QUIET, Socket
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.call import refusal_of
from gateway.stages.translate import USER_AGENT, lane_of
from gateway.types import Call, Grant

MOST_BYTES = 16 << 20  # of an event of a provider


async def dial(call: Call, grant: Grant, place: DeploymentPolicy, runtime: Runtime, wake: Callable[[], None]) -> Socket:
    """Return an open WebSocket to a place. Costs nothing: only responses do.

    Raises UpstreamError (502, 504), ProviderError (the provider's own status), ClientGoneError.
    """
    outbound = lane_of(call, place).outbound(grant.request, place, 0, call.headers)
    url, way = place.base_url + outbound.path, place.auth or registry.PROVIDERS[place.dialect].auth
    headers = {"user-agent": USER_AGENT, "x-request-id": call.request_id, **outbound.headers}
    proof = runtime.credentials.at_hand(way, place, url, headers, b"")
    if proof is None:
        proof = await call.watch.upstream(runtime.credentials.fetched(way, place), 2 * FETCH_WITHIN_S)
    changed = asyncio.Event()

    def woken() -> None:
        changed.set()
        wake()

    def hold(size: int) -> bool:
        runtime.held_bytes += size
        return runtime.held_bytes <= runtime.limits.max_held_bytes

    protocol = _protocol(url, headers | dict(proof), place)
    socket = Socket(protocol, woken, hold)  # what a client does not take counts as held for it
    try:
        await call.watch.upstream(runtime.upstream.connect(place, url, socket), 2 * place.connect_timeout_s)
        while socket.response is None and not socket.closed:
            await call.watch.upstream(changed.wait(), place.first_byte_timeout_s)
            changed.clear()
        if protocol.handshake_exc is not None or socket.closed:
            raise await _refused(call, socket, place, runtime)
    except BaseException:
        socket.forget()
        socket.abort()
        raise
    return socket


def _protocol(url: str, headers: Mapping[str, str], place: DeploymentPolicy) -> ClientProtocol:
    """Return the client's side of a WebSocket, with its request ready to go out."""
    try:
        target = target_of(url, "GET")
        request_head(target, headers, 0)  # looks at each header
    except ValueError as error:
        raise failures.unreachable(place) from error
    origin, parts = target.origin, urlsplit(url)
    uri = WebSocketURI(origin.tls, origin.host, origin.port, parts.path, parts.query)
    protocol = ClientProtocol(uri, max_size=MOST_BYTES, logger=QUIET)
    request = protocol.connect()
    for name, value in headers.items():
        request.headers[name] = value
    protocol.send_request(request)
    return protocol


async def _refused(call: Call, socket: Socket, place: DeploymentPolicy, runtime: Runtime) -> UpstreamError:
    response = socket.response
    if response is None or response.status_code == 101:
        return failures.unanswered(place.provider)
    if response.status_code == 401:
        runtime.credentials.refused(place)
    body = bytes(response.body or b"")
    return await refusal_of(call, _Answer(response.status_code, response.headers, body), place)


class _Answer:
    """An answer in one piece, as `UpstreamResponse`."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in headers.raw_items()}
        self._body = body

    def whole(self) -> bytes | None:
        return None

    async def chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing is held."""
