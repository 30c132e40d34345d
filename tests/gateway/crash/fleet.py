"""Atrium as production runs it: portal, two gateways, worker and beat, each a process on PostgreSQL and Redis."""

import json
import sys
import urllib.request
from pathlib import Path

from tests.services.atrium import ROOT, Atrium
from tests.services.processes import Running, free_port, wait_until

CELERY = [sys.executable, "-m", "celery", "-A", "portal"]


class Embedded:
    """Everything in one process, as `make run` starts it."""

    parts = ("serve",)

    def __init__(self, folder: Path, **env: str) -> None:
        self.atrium = Atrium(folder, **env)
        self.base_urls = [self.atrium.base_url]

    def start(self) -> None:
        self.atrium.start()

    def kill(self, part: str) -> None:
        """End it without warning, and start it again."""
        self.atrium.kill9()
        self.atrium.start()

    def stop(self) -> None:
        self.atrium.stop()

    def log(self) -> str:
        return self.atrium.log()


class Fleet:
    """`kill` replaces a part at once, as a service manager would, and does not wait for it."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.atrium = Atrium(folder, on_postgres=True, **{"ATRIUM_DEMO": "0", **env})
        self._folder = folder
        ports = {name: free_port() for name in ("gateway-1", "gateway-2", "portal")}
        self.base_urls = [f"http://127.0.0.1:{ports[name]}" for name in ("gateway-1", "gateway-2")]
        manage = [sys.executable, "manage.py"]
        uvicorn = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(ports["portal"])]
        self._commands = {
            "portal": uvicorn,
            "gateway-1": [*manage, "gateway", "--processes", "1", "--port", str(ports["gateway-1"])],
            "gateway-2": [*manage, "gateway", "--processes", "1", "--port", str(ports["gateway-2"])],
            "worker": [*CELERY, "worker", "--concurrency", "1", "--without-gossip", "--without-mingle"],
            "beat": [*CELERY, "beat", "-s", str(folder / "schedule")],
        }
        self.running: dict[str, Running] = {}
        self.parts = ("gateway-1", "gateway-2", "gateway-1", "gateway-2", "worker", "beat")

    def start(self) -> None:
        self.atrium.command("migrate")
        for part in self._commands:
            self._start(part)
        wait_until(self._ready, what="start of the fleet", timeout_s=60)

    def kill(self, part: str) -> None:
        """End a part without warning, and start another in its place."""
        self.running[part].kill()
        self._start(part)

    def end(self, part: str) -> None:
        """End a part without warning, and start nothing in its place."""
        self.running.pop(part).kill()

    def stop(self) -> None:
        for running in self.running.values():
            running.stop()

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*.log")))

    def _start(self, part: str) -> None:
        env = {**self.atrium.env, "ATRIUM_SERVE": "portal" if part == "portal" else "gateway"}
        self.running[part] = Running(self._commands[part], folder=self._folder, name=part, env=env, cwd=ROOT)

    def _ready(self) -> bool:
        return len(living(self.base_urls)) == len(self.base_urls)


def living(base_urls: list[str]) -> dict[str, str]:
    """Return the incarnation of each gateway that answers, by its address."""
    found = {}
    for url in base_urls:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310 - our own address
                found[url] = json.load(answer)["gateway"]["incarnation"]
        except (OSError, KeyError):
            continue
    return found
