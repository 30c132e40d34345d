"""The gateway as an ASGI application: a scope becomes a `Call`, and the pipeline does the rest."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Self

from gateway.arrival import serve
from gateway.encodings import too_large
from gateway.endpoints import handles
from gateway.errors import ClientGoneError
from gateway.front.congestion import Congestion
from gateway.front.refusals import Refusals
from gateway.front.workers import Workers
from gateway.runtime import Runtime
from gateway.types import Client, Headers

if TYPE_CHECKING:
    from gateway.realtime.socket import Socket

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class GatewayApp:
    """Answers `/v1/`, `/v1beta/` and `/v1beta1/`. Stateless but for the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.congestion = Congestion(runtime.limits.max_lag_s)
        self.refusals = Refusals(runtime)
        self.workers = Workers()

    @staticmethod
    def handles(path: str) -> bool:
        """Say whether `path` belongs to the gateway."""
        return handles(path)

    @property
    def gateway(self) -> Self:
        """Where a front finds the gateway of an application: this one is nothing else."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        method, headers = scope["method"], dict(scope["headers"])
        runtime = self.runtime
        client = AsgiClient(
            receive, send, headers, head_only=method == "HEAD", write_timeout_s=runtime.limits.write_timeout_s
        )
        query = scope.get("query_string", b"")
        await self.serve(client, method, scope["path"], headers, runtime.clock.monotonic(), query)

    def serve(
        self,
        client: Client,
        method: str,
        path: str,
        headers: Mapping[bytes, bytes],
        arrived: float,
        query: bytes = b"",
    ) -> Coroutine[Any, Any, None]:
        """Serve one request in the current task, whatever front it came by. `arrived`: monotonic seconds."""
        return serve(client, method, path, headers, self.runtime, arrived, query)


class AsgiClient:
    """The client of one request, over ASGI."""

    __slots__ = ("_head_only", "_headers", "_receive", "_send", "_write_timeout_s", "offers_websocket", "started")

    def __init__(
        self,
        receive: Receive,
        send: Send,
        headers: Mapping[bytes, bytes],
        *,
        head_only: bool,
        write_timeout_s: float,
    ) -> None:
        self._write_timeout_s = write_timeout_s
        self._receive = receive
        self._send = send
        self._headers = headers
        self._head_only = head_only
        self.started = self.offers_websocket = False

    def whole(self, limit: int) -> bytes | None:
        """See `Client.whole`. ASGI has to be asked, and may let one wait."""
        return None

    async def read(self, limit: int, progress: Callable[[], None]) -> bytes:
        """See `Client.read`."""
        announced = self._headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > limit:
            raise too_large(limit)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body"):
            if len(body) > limit:
                raise too_large(limit)
            return body
        pieces, size = [body], len(body)
        while message["type"] == "http.request" and message.get("more_body"):
            message = await self._receive()
            progress()
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            pieces.append(piece)
        if message["type"] != "http.request":
            raise ClientGoneError("The client hung up before its request was complete.")
        return b"".join(pieces)

    async def start(self, status: int, headers: Headers) -> None:
        """See `Client.start`."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """See `Client.write`."""
        if data and not self._head_only:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """See `Client.finish`."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Client.respond`."""
        if status != 204:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        body = b"" if self._head_only else body
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await self.start(status, headers)
                await self._send({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            raise ClientGoneError("The client stopped reading.", code="client_stalled") from None

    async def gone(self) -> None:
        """See `Client.gone`."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def hand_over(self, protocol: "Socket") -> None:
        """See `Client.hand_over`. ASGI gives no connection away."""
        raise RuntimeError("no WebSocket was offered")
