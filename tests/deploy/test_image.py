"""The image without an engine: what the Dockerfile copies is all that the product needs, and it runs as nobody special."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.atrium import ROOT
from tests.services.environment import SECRETS

pytestmark = pytest.mark.deploy

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def stage(name: str) -> str:
    """Return the lines of one stage."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def test_what_is_copied_is_enough(tmp_path: Path) -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", stage("build"), re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "vendor")
                shutil.copytree(ROOT / source, tmp_path / target, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, tmp_path / target)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "data").mkdir()
    env = {"PATH": os.environ["PATH"], **SECRETS, "ATRIUM_DATA_DIR": str(tmp_path / "data"), "ATRIUM_DEMO": "1"}
    for command in (
        ["-m", "deploy.assets"],
        ["manage.py", "migrate"],
        ["manage.py", "load_demo"],
        ["manage.py", "check"],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "static" / "vendor" / "tabler.min.css").exists()


@pytest.mark.parametrize("name", ["atrium", "idp"])
def test_the_image_runs_as_no_root(name: str) -> None:
    users = re.findall(r"^USER (\S+)$", stage(name), re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}
