"""How every process of ours serves: uvicorn with the fast lane, and a stop that lets calls end."""

import asyncio
import gc
import resource
import socket
from typing import Any

import uvicorn

from gateway.front.connection import gateway_of
from gateway.front.protocol import FastLane

BACKLOG = 2048
STREAMS_END_WITHIN_S = 20.0
GIVEN_UP_WITHIN_S = 30  # the runtime has ended every call by then
YOUNG_OBJECTS = 50_000  # between two looks for garbage: calls leave little that is not freed at once


def config(app: Any) -> uvicorn.Config:
    """Return the configuration under which `app`, or what an import string names, is served."""
    return uvicorn.Config(
        app,
        http=FastLane,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GIVEN_UP_WITHIN_S,
    )


class Server(uvicorn.Server):
    """Ends calls itself when it stops: uvicorn would cut them off without a word to client or ledger."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then spare the garbage collector all that stays for good: what was imported and compiled."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 50)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to listen, let calls end within their time, end the others with an error event, then stop the rest."""
        gateway = gateway_of(self.config.loaded_app)
        closing = asyncio.ensure_future(gateway.runtime.close(STREAMS_END_WITHIN_S)) if gateway is not None else None
        await super().shutdown(sockets)
        if gateway is not None and closing is not None:
            await closing
            gateway.workers.dismiss()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, for this process or for several that share it. Raises OSError, OverflowError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def raise_descriptor_limit() -> None:
    """Take as many file descriptors as the system gives: a call needs two, and shells hand out 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
