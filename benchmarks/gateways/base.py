"""What a gateway under test is to the benchmark: prepared once, started, measured, stopped."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import other_side, work
from benchmarks.processes import GATEWAY_CORE, Started, answers, wait_for_port
from benchmarks.work import Target

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"  # rivals, installed; ignored by git
READY_WITHIN_S = 90.0


class Missing(RuntimeError):
    """This gateway cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Site:
    """Where a run takes place."""

    folder: Path  # data of this run, deleted at its end
    ports: Iterator[int]
    provider_port: int
    provider_tls_port: int
    authority: Path  # certificate of the authority that the provider's is from

    @property
    def provider(self) -> str:
        return f"http://127.0.0.1:{self.provider_port}"

    @property
    def provider_tls(self) -> str:
        return f"https://localhost:{self.provider_tls_port}"


@dataclass(frozen=True)
class Command:
    """What starts a gateway."""

    arguments: Sequence[str]
    env: Mapping[str, str]
    cwd: Path = ROOT


class Gateway(ABC):
    """One gateway under test."""

    name: str
    what: str = ""  # how it is configured, in a line
    path = "/v1/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, site: Site) -> None:
        self.site = site
        self.port = next(site.ports)
        self.cores = str(GATEWAY_CORE)
        self.process: Started | None = None
        self.folder = site.folder / self.name.replace(" ", "-")
        self.folder.mkdir(mode=0o755)

    @abstractmethod
    def prepare(self) -> None:
        """Install and configure it. Raises Missing."""

    @abstractmethod
    def version(self) -> str:
        """Return what is measured; asked after `prepare`."""

    @abstractmethod
    def command(self) -> Command:
        """Return what starts it."""

    def target(self, *, tls: bool = False) -> Target:
        """Return where a load goes; with `tls` the gateway calls the provider over TLS."""
        return Target("127.0.0.1", self.port, self.path, self.headers)

    def body(self, *, tls: bool = False, streamed: bool = False, paced: bool = False) -> bytes:
        """Return a request's body."""
        return work.chat_body(streamed=streamed, paced=paced)

    def request(self, *, tls: bool = False, streamed: bool = False, paced: bool = False) -> bytes:
        """Return a whole request."""
        return self.target(tls=tls).request(self.body(tls=tls, streamed=streamed, paced=paced))

    @property
    def running(self) -> Started:
        """Return its process. Raises RuntimeError if it was not started."""
        if self.process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self.process

    def start(self) -> float:
        """Start it; return the seconds until it answered a first call. Raises RuntimeError with its log."""
        self._launch()
        target, until = self.target(), time.monotonic() + READY_WITHIN_S
        while not self._answers(target):
            if self.running.ended or time.monotonic() > until:
                raise RuntimeError(f"{self.name} is not ready: {self.running.log()}")
            time.sleep(0.01)
        return time.monotonic() - self.running.began

    def _launch(self) -> None:
        command = self.command()
        self.process = Started(
            command.arguments, folder=self.folder, name="gateway", cores=self.cores, env=command.env, cwd=command.cwd
        )
        wait_for_port(self.port, self.process, READY_WITHIN_S)

    def _answers(self, target: Target) -> bool:
        try:
            return other_side.ask(
                answers, f"http://{target.host}:{target.port}{target.path}", self.body(), dict(target.headers)
            )
        except RuntimeError as refusal:
            if " 50" not in str(refusal)[:14]:
                raise
            return False  # it says itself that it is not ready yet

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.stop()
            self.process = None
