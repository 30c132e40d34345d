"""`manage.py serve`: everything in one process; what `make run` starts."""

import fcntl
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from billing import partitions
from gateway.control.database import end_where_stuck
from gateway.front.server import Server, config, listen, raise_descriptor_limit
from portal.embedded import BackgroundWork, DemoEngine


class Command(BaseCommand):
    help = "Migrate, load the demo once, and serve portal, gateway, background work and demo engine in one process."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["host"] not in {"127.0.0.1", "localhost", "::1"} and settings.DEMO:
            raise CommandError(
                "ATRIUM_DEMO=1 lets anybody in by one click: it listens on 127.0.0.1 only. Unset it or HOST."
            )
        raise_descriptor_limit()
        listener = self._listen(options["host"])
        self._prepare_data()
        signal.signal(signal.SIGTERM, leave)
        with ExitStack() as running:
            if settings.DEMO:
                engine = running.enter_context(DemoEngine(settings.DEMO_ENGINE_PORT))
                settings.DEMO_ENGINE_URL = f"http://127.0.0.1:{engine.port}/v1"
            running.enter_context(BackgroundWork())
            with suppress(KeyboardInterrupt, SystemExit):
                self._serve(listener)
        self.stdout.write("Stopped. Nothing is lost: start again with the same command.")
        end_where_stuck()

    def _serve(self, listener: socket.socket) -> None:
        server = _Announcing(config("portal.asgi:application"), self._announce)
        server.run(sockets=[listener])
        if not server.started:
            raise CommandError("Atrium did not start; the reason stands above.")

    def _listen(self, host: str) -> socket.socket:
        try:
            return listen(host, settings.PORT)
        except PermissionError:
            raise CommandError(
                f"Port {settings.PORT} needs administrator rights. Choose another: make run PORT=8080"
            ) from None
        except OverflowError:
            raise CommandError(f"PORT is {settings.PORT}; ports go from 1 to 65535.") from None
        except OSError:
            raise CommandError(
                f"Port {settings.PORT} is taken by another program. Choose another: make run PORT={settings.PORT + 1}"
            ) from None

    def _prepare_data(self) -> None:
        folder: Path = settings.DATA_DIR
        os.umask(0o077)  # what is written here is nobody else's
        try:
            folder.mkdir(parents=True, exist_ok=True)
            settings.STATIC_ROOT.mkdir(exist_ok=True)
            settings.JOURNAL_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"The folder {folder} cannot be written ({error.strerror}). Set ATRIUM_DATA_DIR to one that can."
            ) from None
        self._lock = self._alone(folder)
        try:
            call_command("migrate", interactive=False, verbosity=0)
            partitions.prepare(datetime.now(UTC).date())
            if settings.DEMO:
                call_command("load_demo", verbosity=0)
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used: {str(error).strip().splitlines()[0]}. Check DATABASE_URL."
            ) from None

    @staticmethod
    def _alone(folder: Path) -> IO[str]:
        """Hold the folder for this process: two on one would each count rate limits for themselves."""
        lock = (folder / "serve.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"Atrium already runs on {folder}. Stop it first, or set ATRIUM_DATA_DIR to another folder."
            ) from None
        return lock

    def _announce(self) -> None:
        write = self.stdout.write
        write(f"\nAtrium is ready: {settings.BASE_URL}\n")
        if settings.DEMO:
            from portal.demo.welcome import lines

            for line in lines():
                write(line)
        write("Stop with Ctrl-C.")
        self.stdout.flush()


class _Announcing(Server):
    """Says that it is ready when it is, not before."""

    def __init__(self, config: uvicorn.Config, announce: Any) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()


def leave(signum: int, frame: object) -> None:
    """End by way of every `finally`: what uvicorn does with the signal once it has stopped."""
    sys.exit(0)
