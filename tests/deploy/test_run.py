"""`make run` as a person meets it: it says where it is and who can sign in, its line works as pasted, it starts again unchanged."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services.atrium import ROOT, Atrium, StartServer
from tests.services.processes import wait_until

STARTS_AGAIN_WITHIN_S = 8
PERSONAS = ("employee", "lead", "finance", "admin", "auditor")


def serve_and_fail(**env: str) -> str:
    """Run a server that cannot start; return its one sentence."""
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_it_says_where_it_is_who_can_sign_in_and_how_to_call(start_server: StartServer) -> None:
    atrium = start_server()
    said = atrium.log()
    assert f"http://localhost:{atrium.port}" in said
    assert [name for name in PERSONAS if name not in said.lower()] == []
    assert "Traceback" not in said
    assert "WARNING" not in said
    line = next(line.strip() for line in said.splitlines() if line.strip().startswith("curl "))
    if shutil.which("curl") is None:
        pytest.skip("curl is missing, so the printed line cannot be tried")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"], done


def test_a_second_start_is_quick_and_changes_nothing(start_server: StartServer) -> None:
    atrium = start_server()
    before = state_of(atrium)
    assert atrium.stop() == 0
    begun = time.monotonic()
    atrium.start()
    took_s = time.monotonic() - begun
    assert state_of(atrium) == before
    oversubscribed = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may be using this machine, too
    assert took_s <= STARTS_AGAIN_WITHIN_S * oversubscribed


def state_of(atrium: Atrium) -> tuple[str, str]:
    """Return configuration and use, as the product itself tells them."""
    return atrium.command("export").stdout, atrium.command("usage", "--format", "json").stdout


def test_ctrl_c_ends_all_of_it(start_server: StartServer) -> None:
    atrium = start_server()
    atrium.process.send(signal.SIGINT)
    assert atrium.process.wait() == 0
    assert "Traceback" not in atrium.log()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", atrium.port), timeout=2)


def test_a_taken_port_is_one_sentence(start_server: StartServer) -> None:
    atrium = start_server()
    said = serve_and_fail(**{**atrium.env, "ATRIUM_DATA_DIR": str(atrium.folder / "other")})
    assert f"Port {atrium.port} is taken" in said
    assert "make run PORT=" in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ATRIUM_DATA_DIR", "/proc/atrium", "cannot be written"),
        ("DATABASE_URL", "mysql://localhost/x", "use postgres://"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none", "database cannot be used"),
        ("PORT", "eighty", "whole number"),
        ("PORT", "99999", "port"),
    ],
)
def test_bad_surroundings_are_one_sentence(name: str, value: str, words: str, tmp_path: Path) -> None:
    env = {**Atrium(tmp_path).env, name: value}
    assert words.lower() in serve_and_fail(**env).lower()


@pytest.mark.soak
@pytest.mark.deploy
def test_a_fresh_clone_is_ready_within_three_minutes(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    env = {**Atrium(tmp_path).env, "ATRIUM_DATA_DIR": str(clone / "var"), "PYTHON": ""}
    begun = time.monotonic()
    with subprocess.Popen(
        ["make", "run"], cwd=clone, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as make:
        try:
            for line in make.stdout or ():
                if re.search("Atrium is ready", line):
                    break
            assert time.monotonic() - begun <= 180
        finally:
            os.killpg(make.pid, signal.SIGINT)
    wait_until(lambda: make.poll() is not None, what="end of make")
