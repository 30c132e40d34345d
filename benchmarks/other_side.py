"""The other side of a gateway: its clients and its provider, in one process and on one loop that does not sleep.

A gateway that writes to a process that sleeps pays for waking it: on a virtual machine that is an interrupt to another
core, twice a call, a tenth of what a call costs. In the field the other side is another machine, which wakes at its own
cost; here it stays awake while a load runs, for all gateways alike.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import uvloop

from benchmarks.provider import listen

T = TypeVar("T")
P = ParamSpec("P")

_loop: asyncio.AbstractEventLoop | None = None
_servers: list[asyncio.Server] = []


def begin(port: int, tls_port: int, cert: Path, key: Path) -> None:
    """Make the loop, and the provider on it: it answers while something runs here."""
    global _loop
    _loop = uvloop.new_event_loop()
    _servers[:] = _loop.run_until_complete(listen(port, tls_port, cert, key))


def end() -> None:
    """Close the loop and all that is on it."""
    global _loop
    if _loop is not None:
        _loop.close()
        _loop = None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load to its end."""
    if _loop is None:
        return uvloop.run(work)
    return _loop.run_until_complete(_awake(work))


def ask(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that waits for an answer which the provider has a part in."""
    if _loop is None:
        return function(*args, **kwargs)
    return _loop.run_until_complete(asyncio.to_thread(function, *args, **kwargs))


async def _awake(work: Coroutine[Any, Any, T]) -> T:
    """Run a load; the loop only looks for what has come meanwhile, and never waits for it."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def turn() -> None:
        if not over.is_set():
            loop.call_soon(turn)

    turn()
    try:
        return await work
    finally:
        over.set()
