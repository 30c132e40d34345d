"""The small tools beside the product: fresh secrets for compose, and deleting data."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import env_file
from deploy.python_env import ROOT

pytestmark = pytest.mark.deploy


def reset(folder: Path, answer: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "reset.py")], input=answer, capture_output=True, text=True, check=False,
        env={**os.environ, "ATRIUM_DATA_DIR": str(folder), **env},
    )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "secrets.json").write_text("{}")
    return folder


def test_secrets_for_compose_are_fresh_private_and_never_overwritten(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert env_file.main(first) == 0
    assert env_file.main(second) == 0
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert first.read_text() != second.read_text()
    values = [line.partition("=") for line in first.read_text().splitlines() if not line.startswith("#")]
    assert [name for name, _, value in values if len(value) < 48] == []
    before = first.read_text()
    assert env_file.main(first) == 1
    assert first.read_text() == before


@pytest.mark.parametrize(
    ("answer", "env", "gone"), [("no\n", {}, False), ("", {}, False), ("yes\n", {}, True), ("", {"FORCE": "1"}, True)]
)
def test_reset_deletes_after_a_yes_or_by_force(data: Path, answer: str, env: dict[str, str], gone: bool) -> None:
    done = reset(data, answer, **env)
    assert data.exists() is not gone
    assert (done.returncode == 0) is gone


def test_reset_deletes_no_folder_that_is_not_atriums(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = reset(tmp_path, FORCE="1")
    assert (tmp_path / "thesis.txt").exists()
    assert "holds no Atrium data" in done.stderr


def test_reset_leaves_a_folder_alone_that_a_server_holds(data: Path) -> None:
    lock = (data / "serve.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = reset(data, FORCE="1")
    assert (done.returncode, data.exists()) == (1, True)
    assert "stop it first" in done.stderr
    lock.close()
    assert reset(data, FORCE="1").returncode == 0 and not data.exists()
