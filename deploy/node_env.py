"""Node packages: the browser's assets, and for tests also the JavaScript tools. Node comes from the system or into .venv."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy import installer, python_env, stamp

ROOT = python_env.ROOT
MODULES = ROOT / "node_modules"
NOTE = MODULES / ".atrium-installed.json"
LOG = python_env.HOME / "npm.log"
LOCK = ROOT / "package-lock.json"
OLDEST = {"runtime": 18, "dev": 20}  # Debian 12's own Node 18 serves to fetch assets; the test tools ask for 20
NPM = (
    "ci --no-audit --no-fund --no-progress --ignore-scripts --fetch-timeout=20000 --fetch-retries=2 "
    "--fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000"
).split()


def missing(stage: str) -> bool:
    """Say whether the packages of `stage` ("runtime" or "dev") are not what the lock names."""
    note = stamp.read(NOTE)
    held = note.get("stage") == "dev" or note.get("stage") == stage
    return not held or note.get("lock") != stamp.digest(LOCK)


def install(stage: str) -> None:
    """Install the locked packages of `stage`. Raises Stop."""
    npm = _npm(stage)
    print("Installing the npm packages …", flush=True)
    cache = [] if _home_is_writable() else ["--cache", str(python_env.HOME / "npm-cache")]
    installer.run(
        [*npm, *NPM, *cache, *(["--omit=dev"] if stage == "runtime" else [])],
        what="Installing the npm packages",
        registry="npm registry",
        log=LOG,
        cwd=ROOT,
        env={"PATH": f"{python_env.PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}", **_company_certificates()},
    )
    stamp.write(NOTE, {"stage": stage, "lock": stamp.digest(LOCK)})


def _npm(stage: str) -> list[str]:
    own = python_env.PYTHON.parent / "npm"
    if own.exists():
        return [str(own)]
    npm = shutil.which("npm")
    if npm and _system_node_major() >= OLDEST[stage]:
        return [npm]
    print(f"No Node {OLDEST[stage]} or newer here: it comes into .venv from the Python package registry.", flush=True)
    python_env.install(["node"])
    return [str(own)]


def _system_node_major() -> int:
    node = shutil.which("node")
    if not node:
        return 0
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found[1]) if found else 0


def _company_certificates() -> dict[str, str]:
    """Node trusts only its own list, where pip asks the system: let both trust what the machine trusts."""
    bundle = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    if os.environ.get("NODE_EXTRA_CA_CERTS") or not Path(bundle).is_file():
        return {}
    return {"NODE_EXTRA_CA_CERTS": bundle}


def _home_is_writable() -> bool:
    home = Path.home() / ".npm"
    return os.access(home if home.exists() else Path.home(), os.W_OK)
