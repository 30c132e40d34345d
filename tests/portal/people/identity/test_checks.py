"""Configurations that would let the wrong people in are refused before anything is served."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks

from portal import asgi
from tests.services import environment
from tests.services.processes import free_port

ROOT = Path(__file__).resolve().parents[4]
REFUSED = {
    "E001": {
        "ATRIUM_DEMO": "1",
        "OIDC_ISSUER": "https://idp.example",
        "OIDC_CLIENT_ID": "a",
        "OIDC_CLIENT_SECRET": "b",
    },
    "E002": {
        "ATRIUM_DEMO": "1",
        "ALLOWED_HOSTS": "atrium.example.com",
        "ATRIUM_BASE_URL": "https://atrium.example.com",
    },
    "E003": {"ATRIUM_BASE_URL": "http://atrium.example.com"},
    "E008": {"OIDC_ISSUER": "https://idp.example"},
    "E020": {"OIDC_ISSUER": "http://idp.example", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"},
    "E021": {"OIDC_GROUP_MAP": "admins=root"},
}


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = (
        environment.of_processes()
        | environment.SECRETS
        | {"ATRIUM_DATA_DIR": str(folder), "PORT": str(free_port())}
        | env
    )
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", REFUSED)
def test_manage_check_refuses(tmp_path: Path, number: str) -> None:
    done = run(tmp_path, "check", **REFUSED[number])
    assert done.returncode != 0
    assert f"portal.{number}" in done.stderr


def test_a_demo_on_this_machine_is_fine(tmp_path: Path) -> None:
    assert run(tmp_path, "check", ATRIUM_DEMO="1").returncode == 0


@pytest.mark.parametrize("number", ["E001", "E002"])
def test_serve_refuses_to_start(tmp_path: Path, number: str) -> None:
    done = run(tmp_path, "serve", **REFUSED[number])
    assert done.returncode != 0
    assert f"portal.{number}" in done.stderr + done.stdout
    assert "lets anybody in by one click" in done.stderr + done.stdout
    assert not list(tmp_path.glob("*.sqlite3"))


@pytest.mark.parametrize(
    "switch",
    [{"DEMO": True, "OIDC_ISSUER": "https://idp.example"}, {"DEMO": True, "ALLOWED_HOSTS": ["atrium.example.com"]}],
)
def test_the_server_process_refuses_to_start_without_serve_too(settings, switch: dict[str, object]) -> None:
    """uvicorn, granian and the like load portal.asgi by themselves: the refusal stands there too."""
    for name, value in switch.items():
        setattr(settings, name, value)
    said: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, object]) -> None:
        said.append(message)

    asyncio.run(asgi.Atrium()({"type": "lifespan"}, receive, send))
    assert said[0]["type"] == "lifespan.startup.failed"
    assert "lets anybody in by one click" in str(said[0]["message"])


def test_nothing_is_wrong_with_the_settings_of_the_tests() -> None:
    assert [message.id for message in run_checks() if not message.is_silenced()] == []
