"""A new connection: the addresses of a host tried in turn and a little at once, then TLS."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from itertools import chain, zip_longest

from gateway.addresses import PrivateAddressError, is_public
from gateway.http.resolver import Address, Resolver
from gateway.http.target import Origin

NEXT_ADDRESS_AFTER_S = 0.25  # RFC 8305 section 5


class Dialler:
    """Dials origins."""

    def __init__(self, tls: ssl.SSLContext, resolver: Resolver) -> None:
        """`tls` must verify certificates and host names. Raises ValueError when it does not."""
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            raise ValueError("providers are verified: the TLS context has to ask for certificates and check host names")
        tls.set_alpn_protocols(["http/1.1"])
        self._tls = tls
        self._resolver = resolver

    async def dial(self, origin: Origin, internal: bool, protocol: asyncio.Protocol) -> None:
        """Connect `protocol`. The address that was judged is the one that is dialled.

        Raises PrivateAddressError where only private addresses are left and `internal` is False, OSError.
        """
        addresses = await self._resolver.addresses(origin.host, origin.port)
        if not internal:
            addresses = [address for address in addresses if is_public(address[1][0])]
            if not addresses:
                raise PrivateAddressError("only private addresses")
        connected = await first_of(interleaved(addresses))
        await asyncio.get_running_loop().create_connection(
            lambda: protocol,
            sock=connected,
            ssl=self._tls if origin.tls else None,
            server_hostname=origin.host if origin.tls else None,
        )


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with the families in turn, the preferred one first (RFC 8305 section 4)."""
    preferred = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(preferred, others)) if address is not None]


async def first_of(addresses: Sequence[Address]) -> socket.socket:
    """Return a socket connected to the first address that answers. Raises OSError: the last one's."""
    if len(addresses) == 1:
        return await _connected(addresses[0])
    left = list(reversed(addresses))
    trying: set[asyncio.Task[socket.socket]] = set()
    failed = OSError("no address")
    try:
        while left or trying:
            if left:
                trying.add(asyncio.ensure_future(_connected(left.pop())))
            done, _ = await asyncio.wait(
                trying, timeout=NEXT_ADDRESS_AFTER_S if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                trying.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    failed = error
        raise failed
    finally:
        for task in trying:
            task.cancel()
            task.add_done_callback(_close)


async def _connected(address: Address) -> socket.socket:
    family, where = address
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(connecting, where)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Close the connection of one that came second."""
    with contextlib.suppress(OSError, asyncio.CancelledError):
        task.result().close()
