"""Where the gateway's compiled copy lies, and how a process that serves takes it: docs/adr/0012-compiled-data-plane.md.

A copy lies in a folder named by the digest of all that it is made of. One that is made of anything else is never found,
so that stale code cannot run.
"""

import hashlib
import os
import platform
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gateway"
TREES = ROOT / ".compiled"
LOCK = ROOT / "requirements-dev.txt"
COMPILER = ROOT / "deploy" / "compiler.py"
SERVING = ("gateway", "serve")  # the commands of manage.py that serve calls; no other is worth the look
SWITCH = "ATRIUM_COMPILED"  # 0: never, 1: or do not start, else: where there is one
REBUILD = "run make compile to have it compiled"


def digest(home: Path = ROOT) -> str:
    """Return what names the copy of the sources in `home`: they, how they are compiled, and for which interpreter."""
    total = hashlib.sha256()
    made_by = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("mypy==")]
    for fact in (platform.python_version(), str(sysconfig.get_config_var("SOABI")), *made_by):
        total.update(fact.encode() + b"\0")
    total.update(COMPILER.read_bytes())
    for path in sources(home):
        total.update(str(path.relative_to(home)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:24]


def sources(home: Path = ROOT) -> list[Path]:
    """Return the package's Python files, in the order of their names."""
    return sorted((home / PACKAGE).rglob("*.py"))


def tree() -> Path:
    """Return where the compiled copy of these very sources lies, or would lie."""
    return TREES / digest()


def take(arguments: Sequence[str]) -> None:
    """Put the compiled copy before the sources, if this process is to serve calls and there is one of these very sources.

    Ends the process where ATRIUM_COMPILED=1 and there is none.
    """
    wish = os.environ.get(SWITCH, "")
    if wish == "0" or not arguments or arguments[0] not in SERVING:
        return
    if not LOCK.exists() or not (found := tree()).is_dir():
        if wish == "1":
            sys.exit(f"{SWITCH}=1, but the gateway is not compiled from these sources: run make compile.")
        if TREES.is_dir():
            print(f"The compiled gateway is of other sources and is not used: {REBUILD}.", file=sys.stderr)
        return
    sys.path.insert(0, str(found))
