"""Writes .env with fresh secrets for docker compose; never overwrites one."""

import os
import secrets
import sys
from pathlib import Path

DEFAULT = Path(__file__).resolve().parent.parent / ".env"
NAMES = ("SECRET_KEY", "ATRIUM_PEPPER", "ATRIUM_KEK", "POSTGRES_PASSWORD", "OIDC_CLIENT_SECRET")


def main(path: Path) -> int:
    """Make the file, readable by its owner only. Returns the exit code."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} exists and was left as it is.", file=sys.stderr)
        return 1
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(
            "# Secrets of this installation. Lose ATRIUM_KEK or ATRIUM_PEPPER, and stored credentials or keys are lost.\n"
        )
        file.writelines(f"{name}={secrets.token_urlsafe(48)}\n" for name in NAMES)
    print(f"Wrote {path} with fresh secrets. Keep it out of version control, and keep a copy.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
