"""The gateway as an ASGI application: a scope becomes a `Call`, and the pipeline does the rest."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway.encodings import too_large
from gateway.endpoints import UNKNOWN, Endpoint, allowed, dialect_of, handles, resolve
from gateway.errors import ClientGoneError, GatewayError
from gateway.ids import new_id
from gateway.pipeline import handle, refuse
from gateway.runtime import Runtime
from gateway.stages.record import line_of
from gateway.types import Call, Headers
from gateway.watch import Watch

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_NOT_SHOWN = re.compile(r"[^A-Za-z0-9._/-]+")
CLIENT_NAME_LENGTH = 64


class GatewayApp:
    """Answers `/v1/` and `/v1beta/`. Stateless but for the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @staticmethod
    def handles(path: str) -> bool:
        """Say whether `path` belongs to the gateway."""
        return handles(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        runtime, headers, method = self._runtime, dict(scope["headers"]), scope["method"]
        client = AsgiClient(receive, send, headers, head_only=method == "HEAD")
        endpoint, target, error = _resolve(method, scope["path"], headers)
        monotonic = runtime.clock.monotonic
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is served by a task")
        call = Call(
            request_id=new_id("req"),
            endpoint=endpoint,
            target=target,
            method=method,
            headers=headers,
            client=client,
            watch=Watch(task, monotonic, client.gone, runtime.limits.disconnect_after_s),
            at=runtime.clock.now(),
            started=monotonic(),
            client_name=client_name(headers.get(b"user-agent", b"")),
        )
        if error is not None:
            await self._refuse(call, error)
            return
        if method == "OPTIONS":
            await client.respond(204, [(b"allow", ", ".join(allowed(endpoint)).encode())], b"")
            return
        runtime.in_flight[task] = call
        try:
            await handle(call, runtime)
        finally:
            del runtime.in_flight[task]

    async def _refuse(self, call: Call, error: GatewayError) -> None:
        runtime, call.error = self._runtime, error
        if runtime.snapshot is not None:
            call.portal_url = runtime.snapshot.portal_url
        try:
            await refuse(call, error, runtime)
        finally:
            call.watch.stop()
            runtime.observer.call_ended(line_of(call, runtime))


class AsgiClient:
    """The client of one request, over ASGI."""

    __slots__ = ("_head_only", "_headers", "_receive", "_send", "started")

    def __init__(self, receive: Receive, send: Send, headers: Mapping[bytes, bytes], head_only: bool = False) -> None:
        self._receive = receive
        self._send = send
        self._headers = headers
        self._head_only = head_only
        self.started = False

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
        await self.start(status, headers)
        await self._send({"type": "http.response.body", "body": b"" if self._head_only else body, "more_body": False})

    async def gone(self) -> None:
        """See `Client.gone`."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _resolve(method: str, path: str, headers: Mapping[bytes, bytes]) -> tuple[Endpoint, str, GatewayError | None]:
    try:
        endpoint, target = resolve(method, path)
        return endpoint, target, None
    except GatewayError as error:
        return replace(UNKNOWN, dialect=dialect_of(path, headers)), "", error


@lru_cache(maxsize=512)
def client_name(user_agent: bytes) -> str:
    """Return product and version of a user agent: `OpenAI/Python/3.52.0`, `curl/8.5.0`, `Mozilla/5.0`."""
    plain = user_agent[:256].decode("latin-1").partition("(")[0].split()
    return _NOT_SHOWN.sub("", "/".join(plain[:2]))[:CLIENT_NAME_LENGTH]
