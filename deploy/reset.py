"""Deletes the data of the embedded installation, after asking."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

DEFAULT = Path(__file__).resolve().parent.parent / "var"


def main() -> int:
    """Delete the data folder; FORCE=1 asks nothing. Returns the exit code."""
    folder = Path(os.environ.get("ATRIUM_DATA_DIR") or DEFAULT).resolve()
    if not folder.exists():
        print(f"Nothing to delete: {folder} does not exist.")
        return 0
    if not (folder / "secrets.json").exists() and folder != DEFAULT:
        print(f"{folder} holds no Atrium data (no secrets.json); nothing was deleted.", file=sys.stderr)
        return 1
    if os.environ.get("FORCE") != "1" and not _agreed(folder):
        print("Nothing was deleted.")
        return 1
    if _in_use(folder):
        print(f"Atrium runs on {folder}: stop it first (Ctrl-C where it runs). Nothing was deleted.", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"Deleted {folder}.")
    return 0


def _in_use(folder: Path) -> bool:
    """Say whether a server holds the folder, as `manage.py serve` does for its life."""
    lock = folder / "serve.lock"
    if not lock.exists():
        return False
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _agreed(folder: Path) -> bool:
    question = f"Delete {folder} with all keys, usage and settings? Type yes: "
    try:
        return input(question).strip().lower() == "yes"
    except EOFError:
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
