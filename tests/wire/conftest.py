"""An Atrium whose team `wire` reaches aimock, and whose demo team reaches the demo engine."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.atrium import ROOT, Atrium
from tests.services.processes import free_port, wait_until

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Wired:
    """A running Atrium with a key for the mock and one for the demo engine."""

    server: Atrium
    mock_key: str
    demo_key: str

    @property
    def base_url(self) -> str:
        return f"{self.server.base_url}/v1"


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """npm's aimock as the provider; returns its port."""
    port = free_port()
    command = ["node", "node_modules/@copilotkit/aimock/dist/cli.js", "-p", str(port), "-f", str(HERE / "aimock.json")]
    with (tmp_path_factory.mktemp("aimock") / "log").open("w") as log:
        process = subprocess.Popen([*command, "--strict", "--log-level", "warn"], cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until(lambda: _listens(port), what="start of aimock", timeout_s=30)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def wired(server: Atrium, aimock: int, tmp_path_factory: pytest.TempPathFactory) -> Wired:
    """Configure the shared server by `apply` and mint by command, as an operator would."""
    file = tmp_path_factory.mktemp("wire") / "atrium.yaml"
    file.write_text((HERE / "aimock.yaml").read_text().replace("PORT", str(aimock)))
    server.command("apply", str(file))
    mint = ["mint_key", "--team", "wire", "--user", "member@wire.example", "--name", "sdk", "--expires", "1d"]
    mock_key = server.command(*mint).stdout.strip()
    demo = ["mint_key", "--team", "search", "--user", "erin@example.com", "--name", "sdk", "--expires", "1d"]
    return Wired(server, mock_key, server.command(*demo).stdout.strip())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
