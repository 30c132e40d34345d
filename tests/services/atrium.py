"""A real Atrium, started as a person would start it: `manage.py serve` on a free port, with data of its own."""

import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services import environment, postgres, redis, session
from tests.services.processes import DidNotHappen, Running, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
# A bare process on two busy cores: what counts as late start is asserted elsewhere.
READY_WITHIN_S = 60

StartServer = Callable[..., "Atrium"]


class Atrium:
    """One installation: its folder, its stores, its environment, and the process that serves it, if running."""

    def __init__(self, folder: Path, *, on_postgres: bool = False, **env: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.env = environment.of_processes()
        self.env.update({"ATRIUM_DATA_DIR": str(folder / "data"), "PORT": str(self.port), "ATRIUM_DEMO": "1"})
        if on_postgres:
            self.env.update({"DATABASE_URL": postgres.fresh_database(), "REDIS_URL": redis.fresh_redis()})
        self.env.update(env)
        self._process: Running | None = None

    @property
    def process(self) -> Running:
        assert self._process is not None, "this Atrium was never started"
        return self._process

    def start(self) -> "Atrium":
        """Start it and wait until it is ready. Raises DidNotHappen with its log."""
        self._process = Running(
            [sys.executable, "manage.py", "serve"], folder=self.folder, name="serve", env=self.env, cwd=ROOT
        )
        try:
            wait_until(self._ready_or_ended, what="start of Atrium", timeout_s=READY_WITHIN_S)
        except DidNotHappen as late:
            self.kill9()
            raise DidNotHappen(f"{late}; its log:\n{self.log()}") from None
        if self._process.returncode is not None:
            raise DidNotHappen(f"Atrium ended with {self._process.returncode}; its log:\n{self.log()}")
        return self

    def stop(self) -> int:
        """Stop it as Ctrl-C or a service manager would, and return its exit code."""
        return self.process.stop()

    def kill9(self) -> None:
        """End it without warning."""
        self.process.kill()

    def restart(self) -> "Atrium":
        """Stop it where it still runs, and start it again on the same data."""
        if self.process.returncode is None:
            self.stop()
        return self.start()

    def log(self) -> str:
        """Return all it printed, over restarts too."""
        return self.process.log()

    def command(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `manage.py ARGUMENTS` on this installation."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(
                f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def is_ready(self) -> bool:
        """Say whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _ready_or_ended(self) -> bool:
        return self.process.returncode is not None or self.is_ready()


@pytest.fixture(scope="session")
def server() -> Iterator[Atrium]:
    """The Atrium that tests share in one process: with demo data, never stopped or reconfigured by a test."""
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=session.begin()))
    running = Atrium(folder, on_postgres=environment.on_postgres()).start()
    yield running
    running.stop()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start an Atrium of the test's own: `start_server(on_postgres=…, NAME="value")`."""
    started: list[Atrium] = []

    def start(*, on_postgres: bool | None = None, **env: str) -> Atrium:
        folder = tmp_path / f"atrium-{len(started)}"
        folder.mkdir()
        chosen = environment.on_postgres() if on_postgres is None else on_postgres
        started.append(Atrium(folder, on_postgres=chosen, **env))
        return started[-1].start()

    yield start
    for running in started:
        if running.process.returncode is None:
            running.stop()
