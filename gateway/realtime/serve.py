"""From an authenticated request for a WebSocket to a session: the model, a place of it, and both handshakes."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from msgspec.structs import replace
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from gateway.dialects import azure, realtime
from gateway.endpoints import REALTIME
from gateway.errors import GatewayError, RequestError, UnavailableError, UpstreamError
from gateway.headers import call_headers
from gateway.realtime.allowances import Allowances
from gateway.realtime.books import SessionBooks, leave_place, take_place
from gateway.realtime.dial import dial
from gateway.realtime.purse import Purse, Rules
from gateway.realtime.session import Session
from gateway.realtime.socket import QUIET, Socket
from gateway.realtime.talk import Talk
from gateway.routing.retry import may_try_elsewhere
from gateway.routing.said import METADATA, bounds_of, metadata_of
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy, Snapshot
from gateway.stages.route import candidates
from gateway.stages.stand_in import granted
from gateway.types import Call, Grant, Principal

MOST_OUTPUT = 4_096  # tokens: the longest cap that the API takes; openai 3.54.0, `realtime_session_create_request.py`
KEYS_SHARE = 4  # one key holds at most this part of a process's sessions
_OFFER = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol")


async def hold_session(call: Call, principal: Principal, snapshot: Snapshot, runtime: Runtime) -> None:
    """Open a session and hold it to its end. Raises GatewayError while the client can still be answered in HTTP."""
    if not call.client.offers_websocket:
        raise realtime.no_websocket()
    _check_room(principal.key.key_id, runtime)
    request, bounds, now = (
        realtime.parse(call.target),
        bounds_of(call.headers, principal.key.data_floor),
        runtime.clock.now(),
    )
    if METADATA in call.headers:
        call.metadata = metadata_of(call.headers)
    server, answer = _accepted(call.headers, runtime.limits.max_event_bytes)
    grant = call.grant = granted(REALTIME, principal, request, snapshot, now, bounds, call.headers)
    seat, changed = await take_place(grant, runtime), asyncio.Event()
    runtime.sessions[principal.key.key_id] += 1
    try:
        place, provider = await _provider(call, grant, changed, runtime)
        try:
            client = _client(call, server, answer, changed, runtime)
            books = SessionBooks(call, REALTIME, replace(request, model=grant.model.slug), place, grant.bounds, runtime)
            session = Session(
                call, client, provider, books, lambda one: _talk(one, call, grant, books, runtime), changed, runtime
            )
        except BaseException:
            provider.forget()
            provider.abort()
            raise
        await session.run()
    finally:
        runtime.sessions -= Counter({principal.key.key_id: 1})  # a key with none is forgotten
        runtime.later(leave_place(seat, runtime))


def _check_room(key_id: str, runtime: Runtime) -> None:
    """Raise UnavailableError where there is no room for another session of a key: none may take the place of all others."""
    most = runtime.limits.max_sessions
    if runtime.sessions.total() >= most or runtime.sessions[key_id] >= max(1, most // KEYS_SHARE):
        raise UnavailableError(
            f"This gateway process holds as many sessions as it takes ({most} in all, {max(1, most // KEYS_SHARE)} of one "
            "key). Close one, or try again shortly.",
            code="overloaded",
            retry_after_s=5,
        )


async def _provider(
    call: Call, grant: Grant, changed: asyncio.Event, runtime: Runtime
) -> tuple[DeploymentPolicy, Socket]:
    """Connect to the first place that answers; connecting costs nothing. Raises the last place's error."""
    failed: GatewayError | None = None
    health, monotonic = runtime.health, runtime.clock.monotonic
    for place in candidates(call, grant, runtime):
        began = monotonic()
        vitals = health.begin(place, began)
        try:
            socket = await dial(call, grant, place, runtime, changed.set)
        except UpstreamError as error:
            health.fail(vitals, error, monotonic())
            failed = error
            if not may_try_elsewhere(error):
                raise
        except BaseException:
            health.forgo(vitals)
            raise
        else:
            health.succeed(vitals, began, monotonic(), monotonic())
            return place, socket
    raise failed or RuntimeError("a route has a place")


def _accepted(headers: Mapping[bytes, bytes], most_bytes: int) -> tuple[ServerProtocol, Response]:
    """Return the server's side of a WebSocket and its answer, which is not sent yet. Raises RequestError.

    The library gets no more of the head than it needs: nothing that tells who calls.
    """
    offered = headers.get(b"sec-websocket-protocol", b"") == b"realtime"
    server = ServerProtocol(
        subprotocols=[Subprotocol("realtime")] if offered else None, max_size=most_bytes, logger=QUIET
    )
    lines = [b"GET /v1/realtime HTTP/1.1", b"host: gateway", b"upgrade: websocket", b"connection: upgrade"]
    lines += [name + b": " + headers[name] for name in _OFFER if headers.get(name)]
    server.receive_data(b"\r\n".join([*lines, b"", b""]))
    asked = server.events_received()
    answer = server.accept(asked[0]) if asked and isinstance(asked[0], Request) else None
    if answer is None or answer.status_code != 101:
        raise RequestError(
            "This is no valid offer of a WebSocket (RFC 6455, 4.2.1). Check the client, and proxies between."
        )
    return server, answer


def _client(call: Call, server: ServerProtocol, answer: Response, changed: asyncio.Event, runtime: Runtime) -> Socket:
    """Take the client's connection over, with the answer that makes it a WebSocket. Raises ClientGoneError."""

    def hold(size: int) -> bool:
        runtime.held_bytes += size
        return runtime.held_bytes <= runtime.limits.max_held_bytes

    for name, value in call_headers(call, runtime):
        answer.headers[name.decode()] = value.decode("latin-1")
    server.send_response(answer)
    socket = Socket(server, changed.set, hold)
    call.watch.ignore_client()  # the socket itself tells when it has gone
    call.client.hand_over(socket)
    return socket


def _talk(session: Session, call: Call, grant: Grant, books: SessionBooks, runtime: Runtime) -> Talk:
    place, model = books.place, grant.model
    dated = place.dialect == "azure" and not azure.undated(place)
    beta = dated or realtime.is_beta(call.headers)
    rules = Rules(
        names=frozenset({grant.request.model, model.slug}),
        upstream_model=place.upstream_model,
        context_tokens=model.context_tokens,
        most_output=min(model.max_output_tokens or MOST_OUTPUT, MOST_OUTPUT),
        cap_name="max_response_output_tokens" if beta else "max_output_tokens",
        provider=place.provider,
    )

    def transcriber(name: str) -> tuple[str, Allowances]:
        found = books.beside(name)
        return found.place.upstream_model, Allowances(found)

    return Talk(Purse(rules, Allowances(books), transcriber), session.up, session.down, session.complain)
