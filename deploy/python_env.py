"""The virtual environment: made once, filled from the hash-locked requirements when these change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy import installer, stamp
from deploy.failures import Stop

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv"
PYTHON = HOME / "bin" / "python"
NOTE = HOME / "atrium-installed.json"
LOG = HOME / "install.log"
LOCKS = {
    "runtime": ROOT / "requirements.txt",
    "dev": ROOT / "requirements-dev.txt",
    "node": ROOT / "requirements-node.txt",
}
# Bounded, so that a registry that does not answer is reported within two minutes.
PIP = (
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    "--timeout",
    "20",
    "--retries",
    "2",
)


def missing(groups: list[str]) -> list[str]:
    """Return those of `groups` whose lock is not what stands installed."""
    note = stamp.read(NOTE)
    if note.get("home") != str(HOME) or not PYTHON.exists() or _other_python_asked(note):
        return groups
    return [group for group in groups if note.get(group) != stamp.digest(LOCKS[group])]


def install(groups: list[str]) -> None:
    """Make the environment where it is missing or unusable, and install `groups`. Raises Stop."""
    note = stamp.read(NOTE)
    if note.get("home") != str(HOME) or not PYTHON.exists() or _other_python_asked(note):
        _create()
        note = {"home": str(HOME), "python": _version()}
        stamp.write(NOTE, note)
    for group in groups:
        lock = LOCKS[group]
        print(f"Installing the Python packages of {lock.name} …", flush=True)
        installer.run(
            [str(PYTHON), *PIP, "--require-hashes", "-r", str(lock)],
            what="Installing the Python packages",
            registry="Python package registry",
            log=LOG,
            cwd=ROOT,
        )
        note[group] = stamp.digest(lock)
        stamp.write(NOTE, note)


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _other_python_asked(note: dict[str, object]) -> bool:
    return bool(os.environ.get("PYTHON")) and note.get("python") != _version()


def _create() -> None:
    print(f"Making .venv with Python {_version()} …", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    base = getattr(sys, "_base_executable", sys.executable)
    if _has_ensurepip(base) or _installed_venv_package(base):
        installer.run(
            [base, "-m", "venv", "--clear", str(HOME)],
            what="Making .venv",
            registry="Python package registry",
            log=LOG,
            cwd=ROOT,
        )
        return
    raise Stop(
        f"This Python cannot make virtual environments: install python{_version()}-venv "
        f"(sudo apt-get install python{_version()}-venv) and run the same command again."
    )


def _has_ensurepip(base: str) -> bool:
    return subprocess.run([base, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def _installed_venv_package(base: str) -> bool:
    """Debian ships venv apart; root may install it."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    package = f"python{_version()}-venv"
    print(f"This Python cannot make virtual environments: installing {package} with apt-get …", flush=True)
    apt_install(package)
    return _has_ensurepip(base)


def apt_install(package: str) -> None:
    """Install a Debian package. Raises Stop."""
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        installer.run(
            command,
            what=f"Installing {package}",
            registry="Debian package mirror",
            log=LOG,
            cwd=ROOT,
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
