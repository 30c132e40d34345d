"""Tasks that serve one call after the other: to make a new one for each would be a fiftieth of what a call costs."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

MOST_IDLE = 256


class Job(Protocol):
    """Something to be done in a task."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Do it."""
        ...


class Workers:
    """Gives each job a task of its own while it lasts, so that it can be cancelled without harm to any other."""

    def __init__(self) -> None:
        self._idle: list[asyncio.Future[Job]] = []

    def start(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """Have a job done, from the next turn of the loop on."""
        while self._idle:
            waiting = self._idle.pop()
            if not waiting.done():
                waiting.set_result(job)
                return
        loop.create_task(self._work(job, loop))

    def dismiss(self) -> None:
        """End the tasks that have nothing to do."""
        while self._idle:
            self._idle.pop().cancel()

    async def _work(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task()
        while True:
            await job.run()
            # A task that somebody wants to cancel still must not take that along into another job.
            if len(self._idle) >= MOST_IDLE or task is None or task.cancelling():
                return
            waiting: asyncio.Future[Job] = loop.create_future()
            self._idle.append(waiting)
            del job
            job = await waiting
