"""What runs beside the server in one process: the demo engine, a Celery worker and beat, each in a thread."""

import logging
import threading
from typing import Any, Self

import uvicorn
from celery.beat import EmbeddedService
from celery.worker import WorkController

from portal.celery import app as celery_app

log = logging.getLogger(__name__)

ENDS_WITHIN_S = 10.0


class DemoEngine:
    """The demo engine on a loopback port of its own: a real HTTP upstream."""

    def __init__(self, port: int = 0) -> None:
        from portal.demo.engine import app  # only a demo loads it

        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._socket = config.bind_socket()
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="demo-engine")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._server.should_exit = True
        self._thread.join(ENDS_WITHIN_S)


class BackgroundWork:
    """A Celery worker and beat as threads. On the memory transport messages die with the process: tasks re-derive their work."""

    def __init__(self) -> None:
        self._beat: Any = EmbeddedService(celery_app, thread=True, scheduler_cls=celery_app.conf.beat_scheduler)
        self._worker = WorkController(
            app=celery_app, pool="threads", concurrency=2, without_heartbeat=True, without_mingle=True, without_gossip=True,
            quiet=True, hostname="embedded@localhost",
        )  # fmt: skip
        self._thread = threading.Thread(target=self._worker.start, name="celery-worker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._beat.start()
        return self

    def __exit__(self, *reason: object) -> None:
        """Let tasks end within their time. One that waits for a database which says nothing is left behind."""
        ending = threading.Thread(target=self._end, name="background-work-ends", daemon=True)
        ending.start()
        ending.join(ENDS_WITHIN_S)

    def _end(self) -> None:
        """Beat first, so that nothing new is sent; then the worker."""
        self._beat.stop()
        self._worker.stop()
        self._thread.join()
