"""Why preparing can fail, each as one sentence for the person at the terminal."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = "The disk is full: {what} needs about 1 GB; free some space and run the same command again."
READ_ONLY = (
    "Cannot write to {what}: run the command as the owner of that folder, or clone Atrium into a folder of your own."
)
NO_ANSWER = (
    "The {registry} did not answer or did not have what was asked for: check the network or proxy and run the same command "
    "again (details: {log})."
)
BAD_HASH = "A downloaded package does not match its locked hash and was not installed (details: {log})."
OTHER = "{what} failed: {last} (details: {log})."

SIGNS = (
    (r"no space left|ENOSPC|disk quota", DISK_FULL),
    (r"do not match the hashes|EINTEGRITY", BAD_HASH),
    (r"permission denied|read-only file system|EACCES|EROFS|EPERM", READ_ONLY),
    (
        r"timed? ?out|timeout|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|max retries"
        r"|connection (?:error|refused|reset|aborted|broken)|name resolution|no matching distribution"
        r"|could not find a version|E404|proxy ?error|socket hang up|certificate|bad gateway|unavailable",
        NO_ANSWER,
    ),
)


class Stop(Exception):
    """Preparing cannot go on; the text is the sentence to show."""


def explain(output: str, *, what: str, registry: str, log: Path) -> Stop:
    """Turn the output of a failed installer into one sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
    for pattern, sentence in SIGNS:
        if re.search(pattern, output, re.IGNORECASE):
            place = log.parent if sentence is READ_ONLY else what
            return Stop(sentence.format(what=place, registry=registry, log=log))
    return Stop(OTHER.format(what=what, last=last, log=log))


@contextmanager
def spoken(path: Path) -> Iterator[None]:
    """Turn errors of the file system at `path` into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Stop(DISK_FULL.format(what="Atrium")) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise Stop(READ_ONLY.format(what=error.filename or path)) from error
        raise Stop(f"{path}: {error.strerror or error}.") from error
