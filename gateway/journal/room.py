"""Whether a journal may grow: what is not drained is bounded, and the disk is not filled to the brim."""

import os
from pathlib import Path

from gateway.journal.segments import segments

FREE_BYTES = 64 << 20  # kept free on the disk, so that calls under way can still be closed
WARN_AT = 0.5


def room(incarnation: str, written: Path, used: int, max_bytes: int) -> tuple[str, str]:
    """Return why no call may be opened in a journal, and what to warn of; "" each.

    `written` is the file that is written now, `used` the bytes of it that hold anything.
    """
    directory = written.parent
    try:
        others = [segment.path for segment in segments(directory, incarnation) if segment.path != written]
        held = used + sum(path.stat().st_size for path in others)
        disk = os.statvfs(directory)
        gone = not written.exists()
    except FileNotFoundError:
        gone = True
    if gone:
        refusal = (
            f"The journal's files in {directory} are gone: they were deleted while the gateway ran. Calls are refused, "
            "as their cost could not be kept; restart the gateway."
        )
    elif held > max_bytes:
        refusal = (
            f"The journal in {directory} holds {held} bytes that are not in the database yet, more than the "
            f"{max_bytes} allowed. Check that the database can be reached; calls resume once it is drained."
        )
    elif disk.f_bavail * disk.f_frsize < FREE_BYTES:
        refusal = (
            f"The disk of the journal in {directory} is full. Calls are refused; they resume once {FREE_BYTES >> 20} MiB "
            "are free."
        )
    elif held > max_bytes * WARN_AT:
        return "", (
            f"The journal in {directory} holds {held} bytes that are not in the database yet; at {max_bytes} calls are "
            "refused. Check that the database can be reached."
        )
    else:
        return "", ""
    return refusal, refusal
