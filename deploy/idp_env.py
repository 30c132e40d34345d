"""An identity provider for the tests, in an environment of its own: its dependencies are not ours."""

import shutil
import sys
from pathlib import Path

from deploy import installer, python_env, stamp

HOME = python_env.HOME / "idp"
COMMAND = HOME / "bin" / "oidc-provider-mock"
LOCK = python_env.ROOT / "tests" / "idp" / "requirements.txt"
NOTE = HOME / "atrium-installed.json"
LOG = python_env.HOME / "idp.log"
REGISTRY = "Python package registry"


def missing() -> bool:
    """Say whether it is not what the lock names."""
    return not COMMAND.exists() or stamp.read(NOTE).get("lock") != stamp.digest(LOCK)


def install() -> None:
    """Make the environment anew. Raises Stop."""
    print(f"Installing the tests' identity provider of {Path(LOCK).relative_to(python_env.ROOT)} …", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    base = str(python_env.PYTHON if python_env.PYTHON.exists() else sys.executable)
    installer.run(
        [base, "-m", "venv", str(HOME)], what="Making its environment", registry=REGISTRY, log=LOG, cwd=python_env.ROOT
    )
    installer.run(
        [str(HOME / "bin" / "python"), *python_env.PIP, "--require-hashes", "-r", str(LOCK)],
        what="Installing the tests' identity provider", registry=REGISTRY, log=LOG, cwd=python_env.ROOT,
    )  # fmt: skip
    stamp.write(NOTE, {"lock": stamp.digest(LOCK)})
