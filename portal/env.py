"""Typed readers of the environment, and the secrets of an embedded installation."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


HALTED_AFTER_MS = 5_000
# A server that vanished without a word is noticed within seconds, not after TCP's quarter of an hour.
VANISHED = {"tcp_user_timeout": "3000", "keepalives_idle": "2", "keepalives_interval": "1", "keepalives_count": "3"}


class BadEnvironment(ValueError):
    """A variable holds what it cannot mean; the message names the variable and what would do."""


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool = False) -> bool:
    """Read 1/0, true/false, yes/no, on/off. Raises BadEnvironment for anything else."""
    text = os.environ.get(name)
    if text is None:
        return default
    if text.strip().lower() in TRUE:
        return True
    if text.strip().lower() in FALSE:
        return False
    raise BadEnvironment(f'{name} is "{text}"; it must be 1 or 0')


def env_choice(name: str, choices: tuple[str, ...]) -> str:
    """Read one of some words, the first where it is not set. Raises BadEnvironment for any other."""
    text = env_str(name, choices[0])
    if text not in choices:
        raise BadEnvironment(f'{name} is "{text}"; it must be one of {", ".join(choices)}')
    return text


def env_int(name: str, default: int) -> int:
    """Read an integer. Raises BadEnvironment for anything else."""
    text = env_str(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise BadEnvironment(f'{name} is "{text}"; it must be a whole number such as {default}') from None


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in env_str(name, default).split(",") if part.strip()]


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Turn `postgres://…` or `sqlite:///path` (default: `data_dir`/atrium.sqlite3) into Django's DATABASES entry.

    Raises BadEnvironment for other schemes.
    """
    parts = urlsplit(url or f"sqlite:///{data_dir / 'atrium.sqlite3'}")
    if parts.scheme == "sqlite":
        if not url:
            data_dir.mkdir(parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]) if parts.path.startswith("//") else unquote(parts.path) or ":memory:",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    if parts.scheme in {"postgres", "postgresql"}:
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        # A pool that goes on trying for long waits longer and longer, and would find a server that is back too late.
        retries = {"timeout": 5, "reconnect_timeout": 2}
        options["pool"] = {"min_size": 0, "max_size": env_int("DATABASE_POOL_SIZE", 16), **retries}
        options.setdefault("connect_timeout", "5")
        for name, value in VANISHED.items():
            options.setdefault(name, value)
        # A process that is halted amid a transaction must not keep its locks from all others.
        options.setdefault("options", f"-c idle_in_transaction_session_timeout={HALTED_AFTER_MS}")
        host = options.pop("host", parts.hostname or "")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": host,
            "PORT": parts.port or "",
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": options,
        }
    raise BadEnvironment(f'DATABASE_URL begins with "{parts.scheme}:"; use postgres://… or sqlite:///…')


def embedded_secrets(data_dir: Path, names: tuple[str, ...]) -> Mapping[str, str]:
    """Return each of `names` from the environment, else from `data_dir`/secrets.json, which is made (mode 0600) when absent.

    An embedded installation keeps its secrets beside its database; a production one sets the variables
    (`portal.checks` refuses to start it otherwise). Raises BadEnvironment where the folder cannot be written.
    """
    given = {name: env_str(name) for name in names}
    if all(given.values()):
        return given
    try:
        kept = _kept_secrets(data_dir, names)
    except OSError as error:
        raise BadEnvironment(
            f"The folder {data_dir} cannot be written ({error.strerror}); set ATRIUM_DATA_DIR to one that can"
        ) from None
    return {name: given[name] or kept[name] for name in names}


def _kept_secrets(data_dir: Path, names: tuple[str, ...]) -> dict[str, str]:
    path = data_dir / "secrets.json"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as file:
            json.dump({name: secrets.token_urlsafe(48) for name in names}, file)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
