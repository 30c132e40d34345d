"""The environment of tests and of the processes they start: nothing of the developer's shell changes a result."""

import os
from pathlib import Path

from tests.services import redis, session

SECRETS = {
    "SECRET_KEY": "test-secret-key-of-fifty-characters-or-more-0123456789",
    "ATRIUM_PEPPER": "test-pepper-0123456789-0123456789-0123456789",
    "ATRIUM_KEK": "test-key-encryption-key-0123456789-0123456789",
}
# What a developer may have set and a test must not see.
FOREIGN = (
    "PORT",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "MISTRAL_API_KEY",
    "ATRIUM_DEMO",
    "ATRIUM_SERVE",
    "ATRIUM_BASE_URL",
    "ATRIUM_GATEWAY_URL",
    "ALLOWED_HOSTS",
    "OIDC_ISSUER",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_NAME",
    "OIDC_GROUP_MAP",
    "EMAIL_HOST",
    "JOURNAL",
    "JOURNAL_DIR",
    "JOURNAL_FSYNC",
    "JOURNAL_MAX_MB",
)


def on_postgres() -> bool:
    """Say whether this run is the one on PostgreSQL and Redis; the other is on SQLite and memory."""
    return os.environ.get("ATRIUM_TEST_STORES") == "postgres"


def data_dir() -> Path:
    """Return this process's own data folder."""
    folder = session.begin() / f"process-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def in_process() -> dict[str, str]:
    """Return what the process that runs the tests sets before Django's settings are read."""
    stores = {"REDIS_URL": redis.fresh_redis()} if on_postgres() else {}  # one each, as workers run side by side
    return {**SECRETS, "ATRIUM_DATA_DIR": str(data_dir()), **stores}


def of_processes() -> dict[str, str]:
    """Return what a started process inherits: the shell's environment without anything of Atrium's."""
    own = {*FOREIGN, *SECRETS, "DATABASE_URL", "REDIS_URL", "ATRIUM_DATA_DIR", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in own and not name.startswith("PYTEST_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}
