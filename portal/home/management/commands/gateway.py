"""`manage.py gateway`: what answers software, in as many processes as the machine has cores to spare."""

import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.control.database import end_where_stuck
from gateway.front.server import Server, config, listen, raise_descriptor_limit
from gateway.front.supervisor import Supervisor, follow
from portal.home.management.commands.serve import leave


class Command(BaseCommand):
    help = "Serve the gateway, and nothing else, in one process or in several that share a port."
    requires_system_checks = []  # after the options are known

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--processes", type=int, default=settings.GATEWAY_PROCESSES)
        parser.add_argument("--listener", type=int, help="file descriptor to listen on; given by the first process")
        parser.add_argument("--follow", type=int, help="file descriptor that ends with the first process")

    def handle(self, *args: Any, **options: Any) -> None:
        settings.SERVE, settings.GATEWAY_PROCESSES = "gateway", options["processes"]
        self.check()
        raise_descriptor_limit()
        if options["listener"] is not None:
            follow(options["follow"])
            self._serve(socket.socket(fileno=options["listener"]))
            return
        try:
            listener = listen(options["host"], options["port"])
        except (OSError, OverflowError) as error:
            raise CommandError(f"Cannot listen on {options['host']} port {options['port']}: {error}.") from None
        if options["processes"] <= 1:
            self._serve(listener)
            return
        command = [sys.executable, sys.argv[0], "gateway", "--processes", str(options["processes"])]
        fd = listener.fileno()
        Supervisor([*command, "--listener", str(fd)], options["processes"], [fd]).run()

    def _serve(self, listener: socket.socket) -> None:
        signal.signal(signal.SIGTERM, leave)
        server = Server(config("portal.asgi:application"))
        with suppress(KeyboardInterrupt, SystemExit):
            server.run(sockets=[listener])
        if not server.started:
            raise CommandError("The gateway did not start; the reason stands above.")
        end_where_stuck()
