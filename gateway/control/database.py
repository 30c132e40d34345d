"""The one thread on which the gateway's control work talks to the database."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connection

log = logging.getLogger(__name__)

CLOSES_WITHIN_S = 2.0

P = ParamSpec("P")
T = TypeVar("T")

_closing: list[Future[None]] = []  # of threads that were told to end


class DatabaseThread(Executor):
    """Runs database work one piece at a time, and drops a connection that broke, so that the next piece opens a new one."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit(_guarded, partial(fn, *args, **kwargs))

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `fn` on the thread. Database errors come through as they are."""
        return await asyncio.wrap_future(self.submit(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        _closing.append(self._pool.submit(_close))
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def end_where_stuck() -> None:
    """End this process here if a thread waits for a database that says nothing: Python would wait for that thread for ever.

    To be called when all else is over.
    """
    if wait(_closing, timeout=CLOSES_WITHIN_S).not_done:
        log.error("the database says nothing: this process ends without it")
        logging.shutdown()
        os._exit(0)


def _guarded(work: Callable[[], T]) -> T:
    try:
        return work()
    except Exception:
        connection.close()
        raise


def _close() -> None:
    connection.close()  # looked up here: the connection is the thread's own
