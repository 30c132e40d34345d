"""How the gateway reaches providers: one Protocol. `gateway.http.client` implements it."""

from collections.abc import Mapping
from typing import Protocol

from gateway.types import UpstreamRequest


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. `headers` has lower-case names; of a repeated header the last value."""

    status: int
    headers: Mapping[str, str]

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
        """Send a POST and return when the answer's head is there.

        Raises `gateway.errors.UpstreamError`; its `sent` is False when the provider cannot have seen the request.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
