"""The entry of every server process: health, the gateway's paths, and Django for the rest.

`ATRIUM_SERVE` says which of them this process answers: `all`, `portal` or `gateway`.
"""

import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.conf import settings
from django.core import checks
from django.core.asgi import get_asgi_application

from gateway.asgi import GatewayApp
from gateway.control.plane import ControlPlane
from portal import health, metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)


class Atrium:
    """Sends each connection where it belongs, and starts and stops the gateway with the server."""

    def __init__(self) -> None:
        self._django: Any = None if settings.SERVE == "gateway" else get_asgi_application()
        self._plane: ControlPlane | None = None if settings.SERVE == "portal" else ControlPlane()
        self._health = health.Health()
        self.gateway: GatewayApp | None = None  # the fast lane looks for it here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
        elif scope["path"] in health.PATHS:
            status, body = await self._health.answer(scope["path"], self._plane if self.gateway else None)
            await _respond(send, status, body, b"application/json")
        elif scope["path"] == metrics.PATH and self._plane is not None and self.gateway is not None:
            await self._metrics(scope, send, self._plane)
        elif self.gateway is not None and (self._django is None or self.gateway.handles(scope["path"])):
            await self.gateway(scope, receive, send)
        elif self._django is not None:
            await self._django(scope, receive, send)
        else:
            await _respond(send, 503, b'{"status": "starting"}', b"application/json")

    async def _metrics(self, scope: Scope, send: Send, plane: ControlPlane) -> None:
        if not metrics.may_read(scope):
            words = b"Metrics are for this machine, or for who sends METRICS_TOKEN as a bearer token.\n"
            await _respond(send, 403, words, b"text/plain")
            return
        body = await plane.observing.exposition(await self._health.down())
        await _respond(send, 200, body, metrics.CONTENT_TYPE)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            errors = [message for message in checks.run_checks() if message.is_serious()]
            if errors:
                raise RuntimeError("; ".join(f"{error.id}: {error.msg} {error.hint or ''}" for error in errors))
            if self._plane is not None:
                self.gateway = GatewayApp(await self._plane.start())
        except Exception as error:
            log.exception("Atrium cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._plane is not None:
            await self._plane.stop()
        self._health.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _respond(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = Atrium()
