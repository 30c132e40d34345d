"""The one thread on which the gateway's control work talks to the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread(Executor):
    """Runs database work one piece at a time, and drops a connection that broke, so that the next piece opens a new one."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit(self._guarded, fn, *args, **kwargs)

    async def run(self, fn: Callable[P, T], *args: P.args) -> T:
        """Await `fn` on the thread. Database errors come through as they are."""
        return await asyncio.wrap_future(self.submit(fn, *args))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.submit(connection.close)
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    @staticmethod
    def _guarded(fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        try:
            return fn(*args, **kwargs)
        except Exception:
            connection.close()
            raise
