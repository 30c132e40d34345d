"""The fake provider as a process of its own, so that it survives what is done to the gateway."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.upstream.ledger import Served, read


class Provider:
    """Writes each answer to disk before its first byte leaves."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "served.jsonl"
        command = [sys.executable, "-m", "tests.upstream", "--journal", str(self.journal)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[1]

    def received(self) -> int:
        return int(httpx.get(self.url.removesuffix("/v1") + "/_count", timeout=10).json()["received"])

    def served(self) -> list[Served]:
        return [answer for answer in read(self.journal) if answer.status == 200]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)
