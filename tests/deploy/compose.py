"""docker-compose.yml as plain processes: its commands and environment word by word, only hosts, ports and paths replaced."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import yaml

from tests.services import postgres, redis
from tests.services.atrium import ROOT
from tests.services.processes import Running, free_port

VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}|\$\$", re.DOTALL)


class Unset(LookupError):
    """A variable that docker-compose.yml demands is not set; the text is what compose would say."""


def interpolate(text: str, values: dict[str, str]) -> str:
    """Fill in `${NAME}`, `${NAME:-default}`, `${NAME:?why}` and `$$` as compose does. Raises Unset."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if name is None:
            return "$"
        if values.get(name):
            return values[name]
        if kind != "-":
            raise Unset(f"{name}: {rest or 'not set'}")
        return str(rest)

    return VARIABLE.sub(value, text)


@dataclass(frozen=True)
class Service:
    """What compose would run: a command and its environment."""

    name: str
    command: list[str]
    env: dict[str, str]


def read(values: dict[str, str]) -> dict[str, Service]:
    """Return the services that have a command of ours, with all variables filled in."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services = {}
    for name, body in document["services"].items():
        env = {key: interpolate(str(value), values) for key, value in body.get("environment", {}).items()}
        if "build" in body:
            services[name] = Service(name, shlex.split(interpolate(body["command"], values)), env)
    return services


class Machine:
    """One machine in place of the containers: `postgres:5432` is our PostgreSQL, port 8000 a free one, and so on."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self._folder = folder
        self._services = read(values)
        self._running: dict[str, Running] = {}
        self.portal_url, self.gateway_url, self.idp_url = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        database = urlsplit(self._database(values["POSTGRES_PASSWORD"]))
        self._instead = {
            "postgres:5432/atrium": f"{database.hostname}:{database.port}{database.path}",
            "redis://redis:6379/0": redis.fresh_redis(),
            "http://localhost:8000": self.portal_url,
            "http://localhost:8080": self.gateway_url,
            "http://idp.localhost:5556": self.idp_url,
            "8000": self.portal_url.rpartition(":")[2],
            "8080": self.gateway_url.rpartition(":")[2],
            "5556": self.idp_url.rpartition(":")[2],
            "/var/lib/atrium": str(folder / "volume"),
            "/tmp/": f"{folder}/tmp/",  # noqa: S108 - the path inside the container, which is replaced
        }
        for name in ("volume", "tmp"):
            (folder / name).mkdir()

    def start(self, name: str) -> Running:
        """Start one service."""
        service = self._services[name]
        command = [self._replaced(word) for word in service.command]
        self._running[name] = Running(command, folder=self._folder, name=name, env=self._env(service), cwd=ROOT)
        return self._running[name]

    def execute(self, name: str, *command: str, stdin: str = "") -> str:
        """Run a command in a service, as `docker compose exec` would, and return what it printed."""
        env = self._env(self._services[name])
        done = subprocess.run(
            command, cwd=ROOT, env=env, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_once(self, name: str) -> str:
        """Run a one-shot service to its end and return what it printed."""
        return self.execute(name, *(self._replaced(word) for word in self._services[name].command))

    def stop(self) -> dict[str, int]:
        """Stop all services, the last started first; return their exit codes."""
        return {name: running.stop() for name, running in reversed(self._running.items())}

    def logs(self) -> str:
        """Return everything that was printed."""
        return "\n".join(f"--- {name}\n{running.log()}" for name, running in self._running.items())

    def _env(self, service: Service) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {name: self._replaced(value) for name, value in service.env.items()}
        return {"PATH": path, "HOME": str(self._folder), "PYTHONUNBUFFERED": "1", **own}

    def _replaced(self, text: str) -> str:
        if text in self._instead:
            return self._instead[text]
        for old, new in self._instead.items():
            if not old.isdigit():
                text = text.replace(old, new)
        return text

    def _database(self, password: str) -> str:
        """Make the user and the empty database that the service postgres would make."""
        address = postgres.fresh_database()
        name = urlsplit(address).path.lstrip("/")
        with psycopg.connect(address, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'atrium'").fetchone()
            if known is None:
                connection.execute("CREATE ROLE atrium LOGIN")
            connection.execute(f"ALTER ROLE atrium PASSWORD '{password}'")
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO atrium')
        return address
