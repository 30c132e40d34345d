"""The fake upstream as a process: `python -m tests.upstream --port N --journal FILE`."""

import argparse
import signal
import threading
from pathlib import Path

from tests.upstream.server import FakeUpstream


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="A fake provider that journals what it served.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, help="JSON lines, one per answer, on disk before it is sent")
    parser.add_argument("--key", help="the bearer that callers must send")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with FakeUpstream(options.port, options.journal, key=options.key) as upstream:
        print(f"ready {upstream.url}", flush=True)  # noqa: T201 - whoever started it waits for this line
        stop.wait()


if __name__ == "__main__":
    main()
