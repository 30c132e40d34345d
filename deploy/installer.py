"""Runs one installer (pip, npm, apt) within a time limit, keeping its output for the case that it fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.failures import Stop, explain

LIMIT_S = 900


def run(
    command: Sequence[str],
    *,
    what: str,
    registry: str,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run `command`; raise Stop with one sentence when it fails or takes longer than LIMIT_S."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Stop(f"{what} did not finish within {LIMIT_S // 60} minutes: check the network and try again.") from error
    if done.returncode != 0:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
        raise explain(done.stdout, what=what, registry=registry, log=log)
