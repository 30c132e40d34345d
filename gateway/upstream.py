"""How the gateway reaches providers: one Protocol, and aiohttp behind it (docs/adr/0001-upstream-client.md)."""

import io
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from gateway.addresses import PrivateAddressError, PublicResolver, is_public, literal
from gateway.encodings import DecodingError, Inflater
from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy
from gateway.types import UpstreamRequest

READ_BUFFER = 64 << 10  # aiohttp stops reading from the socket at twice this
KEEP_ALIVE_S = 30.0
LARGE_BODY = 1 << 20

_UNSENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientSSLError,
    aiohttp.InvalidURL,
    ValueError,
)


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. `headers` has lower-case names; of a repeated header the last value."""

    status: int
    headers: Mapping[str, str]

    async def chunk(self) -> bytes:
        """Return the next bytes as they come, decompressed, at most 128 KiB; empty at the end.

        Raises `gateway.errors.UpstreamError` when the provider breaks off or the encoding is wrong.
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


class AiohttpUpstream:
    """One aiohttp session for each provider, so that a hung one cannot take the connections of another."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """`tls` replaces the system's trust store, for a private certificate authority."""
        self._tls = tls or ssl.create_default_context()
        self._pools: dict[str, _Pool] = {}

    async def open(self, request: UpstreamRequest) -> UpstreamResponse:
        """See `Upstream.open`. Reading and total timeouts are the caller's; connecting has the deployment's."""
        deployment = request.deployment
        url = URL(request.url, encoded=True)
        _check_literal(deployment, url)
        pool = self._pool(deployment)
        body: bytes | io.BytesIO = request.body
        if len(request.body) > LARGE_BODY:
            body = io.BytesIO(request.body)  # written in pieces, so that one call does not hold up the loop
        try:
            response = await pool.session.post(
                url, data=body, headers=request.headers, allow_redirects=False, timeout=pool.timeout
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failure(deployment, error) from error
        return _AiohttpResponse(response, deployment)

    async def close(self) -> None:
        """Close every connection, of pools that were replaced too."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.session.close()
            for old in pool.replaced:
                await old.close()

    def _pool(self, deployment: DeploymentPolicy) -> "_Pool":
        settings = deployment.internal, deployment.max_connections, deployment.connect_timeout_s
        pool = self._pools.get(deployment.provider_id)
        if pool is None or pool.settings != settings:
            old = pool
            pool = _Pool(settings, self._tls)
            if old is not None:
                pool.replaced = [*old.replaced[-3:], old.session]  # calls in flight end there
            self._pools[deployment.provider_id] = pool
        return pool


class _Pool:
    __slots__ = ("replaced", "session", "settings", "timeout")

    def __init__(self, settings: tuple[bool, int, float], tls: ssl.SSLContext) -> None:
        internal, connections, connect_s = settings
        resolver: AbstractResolver = ThreadedResolver()
        connector = aiohttp.TCPConnector(
            limit=connections,
            resolver=resolver if internal else PublicResolver(resolver),
            ssl=tls,
            keepalive_timeout=KEEP_ALIVE_S,
            ttl_dns_cache=10,
        )
        self.settings = settings
        self.timeout = aiohttp.ClientTimeout(total=None, connect=connect_s)
        self.replaced: list[aiohttp.ClientSession] = []
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            skip_auto_headers=("user-agent", "accept", "content-type"),
            trust_env=False,
        )


class _AiohttpResponse:
    __slots__ = ("_deployment", "_inflater", "_pieces", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, deployment: DeploymentPolicy) -> None:
        self._response = response
        self._deployment = deployment
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        encoding = self.headers.get("content-encoding", "").strip().lower()
        self._inflater: Inflater | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        if encoding and encoding != "identity":
            if encoding not in Inflater.ENCODINGS:
                response.close()
                raise UpstreamError(f"The provider {deployment.provider} answered in an encoding nobody asked for.")
            self._inflater = Inflater(encoding)
            self._pieces = self._unpacked(self._inflater)

    async def chunk(self) -> bytes:
        if self._pieces is not None:
            return await anext(self._pieces, b"")
        return await self._received()

    def close(self) -> None:
        self._response.close()

    async def _received(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(
                f"The provider {self._deployment.provider} broke off its answer. Try again.", code="upstream_error"
            ) from error

    async def _unpacked(self, inflater: Inflater) -> AsyncIterator[bytes]:
        try:
            while data := await self._received():
                for piece in inflater.feed(data):
                    yield piece
        except DecodingError as error:
            raise UpstreamError(f"The provider {self._deployment.provider} sent bytes that do not unpack.") from error
        if not inflater.complete:
            raise UpstreamError(f"The provider {self._deployment.provider} broke off its answer. Try again.")


def _check_literal(deployment: DeploymentPolicy, url: URL) -> None:
    address = literal(url.host or "")
    if address is not None and not deployment.internal and not is_public(address):
        raise _private(deployment)


def _failure(deployment: DeploymentPolicy, error: Exception) -> UpstreamError:
    """Sort an error of aiohttp by whether the provider can have seen the request."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, PrivateAddressError):
        return _private(deployment)
    if isinstance(error, _UNSENT):
        return UpstreamError(
            f"The provider {deployment.provider} could not be reached, so this call was not made and costs nothing. "
            "Try again; tell your platform team if this lasts.",
            code="upstream_unreachable",
            sent=False,
        )
    return UpstreamError(f"The provider {deployment.provider} closed the connection without an answer. Try again.")


def _private(deployment: DeploymentPolicy) -> UpstreamError:
    error = UpstreamError(
        f"The provider {deployment.provider} has an address in a private network and is not marked as internal, so it "
        "is not called. A platform administrator can correct that in the catalogue.",
        code="upstream_unreachable",
        sent=False,
    )
    error.retry = False
    return error
