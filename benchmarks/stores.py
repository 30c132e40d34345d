"""PostgreSQL and Redis of the run's own, durable as in production, on the load's core; their CPU is told apart."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.processes import LOAD_CORE, Started, wait_for_port
from tests.services import postgres, redis
from tests.services.processes import wait_until


class Stores:
    """Both servers."""

    def __init__(self, folder: Path, ports: Iterator[int]) -> None:
        self._folder, self._databases = folder, 0
        self._postgres_url, self.postgres = self._start_postgres(next(ports))
        self._redis_url, self.redis = self._start_redis(next(ports))

    def fresh(self) -> tuple[str, str]:
        """Make an empty database; return its address and that of a Redis database nobody else uses."""
        self._databases += 1
        name = f"atrium_{self._databases}"
        with psycopg.connect(f"{self._postgres_url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self._postgres_url}/{name}", f"{self._redis_url}/{self._databases}"

    def cpu_s(self) -> tuple[float, float]:
        """Return the CPU seconds of PostgreSQL and of Redis."""
        return self.postgres.cpu_s(), self.redis.cpu_s()

    def stop(self) -> None:
        """Stop both."""
        self.redis.stop()
        self.postgres.stop()

    def _start_postgres(self, port: int) -> tuple[str, Started]:
        place, folder = postgres.binaries(), self._folder / "postgres"
        user = "postgres" if os.geteuid() == 0 else "-"  # it refuses to run as root
        folder.mkdir(mode=0o755)
        identity: dict[str, Any] = {}
        if user != "-":
            shutil.chown(folder, user, user)
            identity = {"user": user, "group": user, "extra_groups": []}
        subprocess.run(
            [str(place / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            check=True, capture_output=True, cwd="/", **identity,
        )  # fmt: skip
        command = [str(place / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
        for name, value in {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **SETTINGS}.items():
            command += ["-c", f"{name}={value}"]
        started = Started(
            command, folder=folder, name="postgres", cores=str(LOAD_CORE), cwd=Path("/"), user=user,
            stop_signal=signal.SIGINT,
        )  # fmt: skip
        url = f"postgresql://postgres@127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{url}/postgres"), what="start of PostgreSQL")
        return url, started

    def _start_redis(self, port: int) -> tuple[str, Started]:
        folder = self._folder / "redis"
        folder.mkdir()
        command = [redis.binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        started = Started(command, folder=folder, name="redis", cores=str(LOAD_CORE))
        wait_for_port(port, started)
        return f"redis://127.0.0.1:{port}", started


SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "maintenance_work_mem": "512MB", "jit": "off"}


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
