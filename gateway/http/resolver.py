"""Names to addresses: off the loop, once at a time for each name, remembered for a moment."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.addresses import literal

Address = tuple[socket.AddressFamily, tuple[Any, ...]]  # family and what `connect` takes
LookUp = Callable[[str, int], Awaitable[list[Address]]]


async def look_up(host: str, port: int) -> list[Address]:
    """Ask the system, in a thread. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found if family in {socket.AF_INET, socket.AF_INET6}]


class Resolver:
    """The addresses of hosts, in the order of the system's preference."""

    def __init__(self, look_up: LookUp = look_up, remembered_s: float = 10.0) -> None:
        self._look_up = look_up
        self._remembered_s = remembered_s
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name, or the one that `host` is. Raises OSError."""
        address = literal(host)
        if address is not None:
            return [(socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port))]
        key = host, port
        known = self._known.get(key)
        if known is not None and known[0] > asyncio.get_running_loop().time():
            return known[1]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.ensure_future(self._ask(key))
            task.add_done_callback(_seen)
        return await asyncio.shield(task)

    def close(self) -> None:
        """Wait for no look-up any more."""
        for task in self._asked.values():
            task.cancel()

    async def _ask(self, key: tuple[str, int]) -> list[Address]:
        try:
            found = await self._look_up(*key)
            self._known[key] = asyncio.get_running_loop().time() + self._remembered_s, found
            return found
        finally:
            del self._asked[key]


def _seen(task: asyncio.Task[list[Address]]) -> None:
    """Take note of the error of a look-up that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
