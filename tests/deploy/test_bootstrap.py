"""What stands between a clone and a running Atrium: each obstacle is one sentence and a failing exit code."""

import ast
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import failures, node_env, prepare, python_env
from tests.services.processes import free_port

pytestmark = pytest.mark.deploy

ROOT = python_env.ROOT
BOOTSTRAP = ROOT / "deploy" / "bootstrap.py"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that preparing reads, and nothing prepared."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "Makefile",
        "package.json",
        "package-lock.json",
        ".npmrc",
        *(lock.name for lock in python_env.LOCKS.values()),
    ):
        shutil.copy(ROOT / name, folder)
    return folder


def bootstrap(clone: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Prepare `clone` with the Python that runs the tests."""
    return subprocess.run(
        [sys.executable, str(clone / "deploy" / "bootstrap.py"), "-c", "print('handed over')"],
        cwd=clone, env={**os.environ, "PYTHON": "", **env}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return what it said on its way out: one line, no traceback, a failing exit code."""
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_an_old_python_reads_the_file_that_refuses_it() -> None:
    source = BOOTSTRAP.read_bytes()
    source.decode("ascii")
    tree = ast.parse(source, feature_version=(3, 4))
    too_new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Match)
    assert [node for node in ast.walk(tree) if isinstance(node, too_new)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [a for f in functions for a in (f.returns, *(argument.annotation for argument in f.args.args)) if a] == []


def test_an_old_python_is_refused_in_words() -> None:
    program = (
        f"import runpy, sys; sys.version_info = (3, 9, 18); runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = one_sentence(done)
    assert "Python 3.9 is too old: Atrium needs 3.11 or newer" in said
    assert "make run PYTHON=" in said


def test_a_python_that_is_none_is_refused_in_words(clone: Path) -> None:
    done = subprocess.run(
        ["sh", "deploy/python.sh", "x"],
        cwd=clone,
        env={**os.environ, "PYTHON": "/no/such"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PYTHON=/no/such is not a program" in one_sentence(done)


def test_a_folder_that_cannot_be_written_is_named(clone: Path) -> None:
    program = (
        f"import os, sys; sys.path.insert(0, {str(clone)!r}); from deploy import prepare\n"
        "os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))  # root may write anywhere\n"
        "sys.exit(prepare.hand_over([]))"
    )
    clone.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    clone.chmod(0o755)
    assert f"Cannot write to {clone}" in one_sentence(done)


def test_a_python_without_venv_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian ships venv apart; who is not root is told what to install."""
    monkeypatch.setattr(python_env, "HOME", tmp_path / ".venv")
    monkeypatch.setattr(python_env, "_has_ensurepip", lambda base: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(failures.Stop, match=r"sudo apt-get install python3\.\d+-venv"):
        python_env._create()


def test_a_registry_that_does_not_answer_is_reported(clone: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/simple"
    done = bootstrap(
        clone, PIP_INDEX_URL=nowhere, PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull
    )
    assert "The Python package registry did not answer" in one_sentence(done)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("npm error code ETIMEDOUT", "The registry did not answer"),
        ("npm error code ENOTFOUND\nnpm error network request failed", "The registry did not answer"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "does not match its locked hash"),
        ("npm error code EACCES", "Cannot write to"),
        ("npm error code EWHATEVER", "Installing failed: npm error code EWHATEVER"),
    ],
)
def test_failures_of_installers_become_sentences(output: str, sentence: str, tmp_path: Path) -> None:
    said = failures.explain(output, what="Installing", registry="registry", log=tmp_path / "log")
    assert sentence in str(said)
    assert "\n" not in str(said)


def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(failures.Stop, match="The disk is full"), failures.spoken(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_prepared_stays_untouched() -> None:
    """The suite runs in a prepared clone: nothing is behind, so preparing it again starts no program at all."""
    assert python_env.missing(["runtime", "dev"]) == []
    assert node_env.missing("dev") is False
    done = subprocess.run(
        [sys.executable, str(BOOTSTRAP), "--dev", "-c", "print('handed over')"],
        env={"PATH": "/nowhere", "HOME": "/nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("handed over\n", "", 0)


def test_a_changed_lock_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = tmp_path / "requirements.txt"
    changed.write_text(python_env.LOCKS["runtime"].read_text() + "\n")
    monkeypatch.setitem(python_env.LOCKS, "runtime", changed)
    assert python_env.missing(["runtime", "dev"]) == ["runtime"]
    assert prepare._behind(["runtime"], "runtime")


def test_help_lists_every_command() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ("run", "test", "lint", "screenshots", "soak", "reset"):
        assert f"make {name} " in listed
