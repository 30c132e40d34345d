"""The gateway's `Upstream`: an HTTP/1.1 client with a pool of connections to each provider."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from gateway.addresses import PrivateAddressError
from gateway.encodings import Inflater
from gateway.http import failures
from gateway.http.connection import Connection
from gateway.http.dial import Dialler
from gateway.http.exchange import Exchange
from gateway.http.pool import BusyError, Pool
from gateway.http.resolver import Resolver
from gateway.http.target import Origin, request_head, target_of
from gateway.http.unpacked import UnpackedResponse
from gateway.snapshot import DeploymentPolicy
from gateway.types import UpstreamRequest
from gateway.upstream import UpstreamResponse

LARGE_BODY = 1 << 20
SWEEP_S = 5.0

Settings = tuple[str, Origin, bool, int, float]


class HttpUpstream:
    """One pool for each provider, so that a hung one cannot take the connections of another.

    Settings that change make a new pool; the old one ends with its calls.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, resolver: Resolver | None = None) -> None:
        """`tls` replaces the system's trust store, for a private certificate authority; it has to verify."""
        self._resolver = resolver or Resolver()
        self._dialler = Dialler(tls or ssl.create_default_context(), self._resolver)
        self._pools: dict[Settings, Pool] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        _raise_mmap_threshold()

    async def open(self, request: UpstreamRequest) -> UpstreamResponse:
        """See `gateway.upstream.Upstream.open`. Other times than that of connecting are the caller's to watch."""
        deployment, body = request.deployment, request.body
        try:
            target = target_of(request.url, request.method)
            head = request_head(target, request.headers, len(body))
        except ValueError as error:
            raise failures.unreachable(deployment) from error
        if self._closed:
            raise failures.unreachable(deployment)
        pool = self._pool(deployment, target.origin)
        connection = pool.take(asyncio.get_running_loop().time())
        if connection is None:
            connection = await _connected(pool, deployment)
        exchange = Exchange(connection, deployment.provider)
        try:
            if len(body) <= LARGE_BODY:
                connection.begin(exchange, head + body)
            else:
                await connection.begin_large(exchange, head, body)
            await exchange.head()
            return _decoded(exchange, deployment)
        except BaseException:
            exchange.close()
            raise

    async def connect(self, deployment: DeploymentPolicy, url: str, protocol: asyncio.Protocol) -> None:
        """See `gateway.upstream.Upstream.connect`."""
        with _told(deployment):
            origin = target_of(url).origin
            if self._closed:
                raise ConnectionAbortedError("the client is closed")
            async with asyncio.timeout(deployment.connect_timeout_s):
                await self._dialler.dial(origin, deployment.internal, protocol)

    def pools(self) -> list[tuple[str, Pool]]:
        """Return the pools there are, each with its provider's id, for metrics."""
        return [(settings[0], pool) for settings, pool in self._pools.items()]

    async def close(self) -> None:
        """Close every connection; none is made any more. Idempotent."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()
        self._resolver.close()

    def _pool(self, deployment: DeploymentPolicy, origin: Origin) -> Pool:
        limit, connect_s, internal = deployment.max_connections, deployment.connect_timeout_s, deployment.internal
        settings = deployment.provider_id, origin, internal, limit, connect_s
        pool = self._pools.get(settings)
        if pool is None:
            pool = Pool(limit, connect_s, partial(self._dialler.dial, origin, internal))
            self._pools[settings] = pool
            self._sweep_later()
        return pool

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        for settings, pool in list(self._pools.items()):
            pool.sweep(now)
            if not len(pool):
                del self._pools[settings]
        if self._pools:
            self._sweep_later()


def _raise_mmap_threshold() -> None:
    """Let glibc serve the 256 KiB buffers that event loops read into from its heap.

    Until a larger block has been freed once, each read maps and unmaps one: 3.4 ms of CPU instead of 0.5 for a stream
    of 200 chunks over TLS (docs/adr/0007-own-upstream-client.md).
    """
    bytearray(1 << 20)


async def _connected(pool: Pool, deployment: DeploymentPolicy) -> Connection:
    with _told(deployment):
        return await pool.connect()


@contextmanager
def _told(deployment: DeploymentPolicy) -> Iterator[None]:
    """Say in our errors why there is no connection."""
    try:
        yield
    except BusyError as error:
        raise failures.busy(deployment) from error
    except PrivateAddressError as error:
        raise failures.private(deployment) from error
    except TimeoutError as error:
        raise failures.connect_timeout(deployment) from error
    except (OSError, ValueError) as error:
        raise failures.unreachable(deployment) from error


def _decoded(exchange: Exchange, deployment: DeploymentPolicy) -> UpstreamResponse:
    encoding = exchange.headers.get("content-encoding")
    if encoding is None:
        return exchange
    encoding = encoding.strip().lower()
    if not encoding or encoding == "identity":
        return exchange
    if encoding not in Inflater.ENCODINGS:
        raise failures.unknown_encoding(deployment.provider)
    return UnpackedResponse(exchange, encoding, deployment.provider)
