"""The services that tests stand on: outside is unreachable, processes end with their owner."""

import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.services.processes import MINDER, Running, wait_until
from tests.services.sockets import OutsideAddress

pytestmark = pytest.mark.deploy  # the same on any stores, so once is enough


@pytest.mark.parametrize("address", ["192.0.2.1", "example.com"])
def test_outside_addresses_are_refused(address: str) -> None:
    with pytest.raises(OutsideAddress, match=address):
        socket.create_connection((address, 80), timeout=1)


def test_each_database_is_empty_and_new(fresh_database: str) -> None:
    with psycopg.connect(fresh_database) as connection:
        tables = connection.execute("select count(*) from information_schema.tables where table_schema = 'public'")
        assert tables.fetchone() == (0,)


def test_redis_answers(fresh_redis: str) -> None:
    with redis.Redis.from_url(fresh_redis) as client:
        client.set("a", "b")
        assert client.get("a") == b"b"


def test_stop_hands_the_signal_on_and_returns_the_exit_code(tmp_path: Path) -> None:
    program = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('up', flush=True)\ntime.sleep(60)"
    running = Running([sys.executable, "-c", program], folder=tmp_path, name="seven")
    wait_until(lambda: "up" in running.log(), what="the handler")
    assert running.stop() == 7


def test_a_killed_owner_takes_its_processes_along(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pid_file = tmp_path / "sleeper.pid"
    minder = subprocess.Popen([sys.executable, str(MINDER), str(owner.pid), str(pid_file), "15", "-", "sleep", "60"])
    wait_until(pid_file.exists, what="start")
    owner.kill()
    owner.wait()
    assert minder.wait(timeout=20) == 128 + 15
