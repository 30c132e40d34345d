"""Makes a clone ready (environment, npm packages, assets), each step only when its source changed, then becomes a command."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy import assets, node_env, python_env
from deploy.failures import Stop, spoken
from deploy.own_env import IDP

ROOT = python_env.ROOT


def hand_over(arguments: list[str]) -> int:
    """Prepare for `[--dev] ARGUMENTS…`, then replace this process by the environment's Python with ARGUMENTS."""
    stage = "dev" if arguments[:1] == ["--dev"] else "runtime"
    command = arguments[1:] if stage == "dev" else arguments
    try:
        with spoken(ROOT):
            prepare(stage)
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on where it was left.", file=sys.stderr)
        return 130
    if command:
        path = f"{python_env.PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(python_env.HOME)}
        os.chdir(ROOT)
        os.execve(python_env.PYTHON, [str(python_env.PYTHON), *command], environment)  # noqa: S606 - becoming the command is the point
    return 0


def prepare(stage: str) -> None:
    """Bring environment, npm packages and assets up to date for "runtime" or "dev". Raises Stop, OSError."""
    groups = ["runtime", "dev"] if stage == "dev" else ["runtime"]
    if not _behind(groups, stage):
        return
    begun = time.monotonic()
    with _alone():
        if groups_missing := python_env.missing(groups):
            python_env.install(groups_missing)
        if node_env.missing(stage):
            node_env.install(stage)
        if stage == "dev" and IDP.missing():
            IDP.install()
        if assets.missing():
            assets.copy()
    print(f"Ready after {time.monotonic() - begun:.0f} s.", flush=True)


def _behind(groups: list[str], stage: str) -> bool:
    python_ready = not python_env.missing(groups) and not (stage == "dev" and IDP.missing())
    return not python_ready or node_env.missing(stage) or assets.missing()


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the clone against a second `make` at the same time."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make in this folder …", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
