"""Runs one command in a process group of its own, and ends the group when the owner ends, however that happens.

Usage: minder.py OWNER_PID PID_FILE SIGNAL USER COMMAND…   (USER may be "-"). Run as a script, standard library only.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

GRACE_S = 12


def main(owner: int, pid_file: Path, stop_signal: int, user: str, command: list[str]) -> int:
    """Return the command's exit code, 128 + signal where a signal ended it."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    identity = {} if user == "-" else {"user": user, "group": _group(user), "extra_groups": []}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **identity)  # type: ignore[call-overload]
    fresh = pid_file.with_suffix(".new")
    fresh.write_text(str(child.pid))
    fresh.replace(pid_file)
    while child.poll() is None and not asked and _alive(owner):
        _pause(child, 0.25)
    if child.poll() is None:
        child.send_signal(stop_signal)
        limit = time.monotonic() + GRACE_S
        while child.poll() is None and time.monotonic() < limit:
            _pause(child, 0.1)
    _end_group(child.pid)
    code: int = child.wait()
    return code if code >= 0 else 128 - code


def _pause(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_group(group: int) -> None:
    """What the command started and left behind goes with it."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]))
