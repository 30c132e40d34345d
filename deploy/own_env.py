"""Python environments of the tests' own: what they start beside Atrium has dependencies that are not ours."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy import installer, python_env, stamp

REGISTRY = "Python package registry"


@dataclass(frozen=True)
class OwnEnvironment:
    """One environment in `.venv/NAME`. `lock`: its requirements with hashes; `what`: what it holds, for people."""

    name: str
    lock: Path
    what: str

    @property
    def home(self) -> Path:
        """Where it is."""
        return python_env.HOME / self.name

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.home / "bin" / "python"

    def missing(self) -> bool:
        """Say whether it is not what the lock names."""
        return not self.python.exists() or stamp.read(self._note).get("lock") != stamp.digest(self.lock)

    def install(self) -> None:
        """Make it anew. Raises Stop."""
        print(f"Installing {self.what} of {self.lock.relative_to(python_env.ROOT)} …", flush=True)
        shutil.rmtree(self.home, ignore_errors=True)
        base = str(python_env.PYTHON if python_env.PYTHON.exists() else sys.executable)
        self._run([base, "-m", "venv", str(self.home)], "Making its environment")
        # The lock names all there is, so nothing needs to be resolved; and little of it will ever be imported.
        quick = ["--no-deps", "--no-compile", "--no-warn-conflicts", "--require-hashes", "-r", str(self.lock)]
        self._run([str(self.python), *python_env.PIP, *quick], f"Installing {self.what}")
        stamp.write(self._note, {"lock": stamp.digest(self.lock)})

    @property
    def _note(self) -> Path:
        return self.home / "atrium-installed.json"

    def _run(self, command: list[str], what: str) -> None:
        log = python_env.HOME / f"{self.name}.log"
        installer.run(command, what=what, registry=REGISTRY, log=log, cwd=python_env.ROOT)


IDP = OwnEnvironment(
    "idp", python_env.ROOT / "tests" / "idp" / "requirements.txt", "the tests' identity provider"
)  # fmt: skip
TOOLS = OwnEnvironment("tools", python_env.ROOT / "tests" / "wire" / "requirements.txt", "the tests' client tools")
