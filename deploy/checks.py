"""The checks that read the source only: `make lint` runs them all, and the test suite runs each as a test."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

from deploy.python_env import ROOT

LIMIT_S = 600
# `check --deploy` judges the settings of a public installation; nothing here is a secret.
PRODUCTION = {
    "ATRIUM_BASE_URL": "https://atrium.example.com",
    "ALLOWED_HOSTS": "atrium.example.com",
    "DATABASE_URL": "postgres://atrium@127.0.0.1/atrium",
    "REDIS_URL": "redis://127.0.0.1/0",
    "SECRET_KEY": "only-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ATRIUM_PEPPER": "only-for-the-check-pepper-0123456789",
    "ATRIUM_KEK": "only-for-the-check-kek-0123456789",
    "OIDC_ISSUER": "https://sso.example.com",
    "OIDC_CLIENT_ID": "atrium",
    "OIDC_CLIENT_SECRET": "only-for-the-check",
}


@dataclass(frozen=True)
class Check:
    """One command and the environment it needs."""

    name: str
    arguments: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


CHECKS = (
    Check("ruff-check", ("-m", "ruff", "check", ".")),
    Check("ruff-format", ("-m", "ruff", "format", "--check", ".")),
    Check("mypy", ("-m", "mypy", "--strict")),
    Check("deploy-check", ("manage.py", "check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
    Check("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
)
FIXES = (
    Check("ruff-check", ("-m", "ruff", "check", "--fix", ".")),
    Check("ruff-format", ("-m", "ruff", "format", ".")),
)


def run(check: Check) -> subprocess.CompletedProcess[str]:
    """Run one check with data of its own; its output and exit code tell the result."""
    with tempfile.TemporaryDirectory(prefix="atrium-check-") as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "ATRIUM_"))}
        for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "ALLOWED_HOSTS"):
            kept.pop(name, None)
        return subprocess.run(
            [sys.executable, *check.arguments],
            cwd=ROOT,
            env={**kept, "ATRIUM_DATA_DIR": folder, **check.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


def main(arguments: list[str]) -> int:
    """Run all checks, or with `--fix` what mends; print the output of each and return 1 where one failed."""
    failed = 0
    for check in FIXES if arguments == ["--fix"] else CHECKS:
        done = run(check)
        print(f"{check.name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
        if done.returncode != 0:
            print(done.stdout, flush=True)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
