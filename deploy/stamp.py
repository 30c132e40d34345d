"""A note of what was last installed, so that later starts install nothing."""

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(*paths: Path) -> str:
    """Return one SHA-256 over the content of the files, in order."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def read(path: Path) -> dict[str, Any]:
    """Return the note, or an empty one where it is missing or damaged."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write(path: Path, note: dict[str, Any]) -> None:
    """Replace the note in one step."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(note, indent=1), encoding="utf-8")
    fresh.replace(path)
