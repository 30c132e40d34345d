"""How the gateway reaches providers: one Protocol. `gateway.http.client` implements it."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from gateway.snapshot import DeploymentPolicy
from gateway.types import UpstreamRequest


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. `headers` has lower-case names; of a repeated header the last value."""

    status: int
    headers: Mapping[str, str]

    def whole(self) -> bytes | None:
        """Return the whole body if it is short and here already, None if it has to be asked for piece by piece."""
        ...

    async def chunk(self) -> bytes:
        """Return the next bytes as they come, decompressed, at most 128 KiB; empty at the end.

        Does not suspend while there are bytes. Raises `gateway.errors.UpstreamError` when the provider breaks off or the
        encoding is wrong.
        """
        ...

    def close(self) -> None:
        """Let go: a response read to its end frees its connection for others, any other is cut off. Idempotent."""
        ...


class Upstream(Protocol):
    """A pool of connections to each provider. Follows no redirect, keeps no cookie, uses no proxy of the environment."""

    async def open(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and return when the answer's head is there.

        Raises `gateway.errors.UpstreamError`; its `sent` is False when the provider cannot have seen the request.
        """
        ...

    async def connect(self, deployment: DeploymentPolicy, url: str, protocol: asyncio.Protocol) -> None:
        """Connect `protocol` to where an http or https `url` leads: a connection of its own, which its owner closes.

        Raises `gateway.errors.UpstreamError`.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
