"""py-spy, in an environment of its own: samples a Python process from outside, all threads, ours or not."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.gateways.base import CACHE
from benchmarks.processes import TICK_S

VERSION = "0.4.3"
HOME = CACHE / "py-spy"
RATE = 500  # samples/s
WAITING = (  # a thread that is there waits, whatever py-spy believes
    "_worker (concurrent/futures/thread.py",
    "Condition.wait (threading.py",
    "wait (threading.py",
    "Connection.wait (psycopg/connection.py",
    "wait (psycopg/",
    "select (selectors.py",
)


def binary() -> Path:
    """Return it, installed if need be."""
    path = HOME / "bin" / "py-spy"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        install = [str(HOME / "bin" / "pip"), "install", "--quiet", f"py-spy=={VERSION}"]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    return path


def record(pid: int, seconds: float, file: Path) -> "subprocess.Popen[bytes]":
    """Begin to sample the busy threads of `pid` into `file`."""
    command = [str(binary()), "record", "-p", str(pid), "-d", str(round(seconds)), "-r", str(RATE), "--threads"]
    return subprocess.Popen(
        [*command, "-f", "raw", "-o", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def threads_cpu_s(pid: int) -> dict[str, float]:
    """Return the CPU seconds of each thread, by its number."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = (int(fields[11]) + int(fields[12])) * TICK_S
    return found


def report(file: Path, us_by_thread: Mapping[str, float], top: int) -> str:
    """Return threads, functions and lines with the most own time from a file that `record` wrote.

    `us_by_thread`: the CPU of each thread for a call. It is spread over the samples in which the thread did not wait.
    """
    threads, own, within, lines = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    rows, totals = list(_rows(file)), Counter[str]()
    for thread, _, count in rows:
        totals[thread] += count
    for thread, frames, count in rows:
        number = thread.partition("(")[2].partition(")")[0]
        share = count / totals[thread] * us_by_thread.get(number, 0.0)
        functions = [_function(frame) for frame in frames]
        threads[thread] += share  # type: ignore[assignment]  # a Counter adds floats as well
        lines[frames[-1]] += share  # type: ignore[assignment]
        own[functions[-1]] += share  # type: ignore[assignment]
        for name in set(functions):
            within[name] += share  # type: ignore[assignment]
    table = [f"{'µs':>8}  thread"]
    table += [f"{us:8.2f}  {thread}" for thread, us in threads.most_common(8)]
    table += ["", f"{'own µs':>8} {'total µs':>9}  function"]
    table += [f"{us:8.2f} {within[name]:9.2f}  {name}" for name, us in own.most_common(top)]
    table += ["", f"{'own µs':>8}  line"]
    table += [f"{us:8.2f}  {line}" for line, us in lines.most_common(top)]
    return "\n".join(table)


def _rows(file: Path) -> Iterator[tuple[str, list[str], int]]:
    for row in file.read_text().splitlines():
        stack, _, count = row.rpartition(" ")
        thread, *frames = stack.split(";")
        if frames and not frames[-1].startswith(WAITING):
            yield thread, frames, int(count)


def _function(frame: str) -> str:
    """Turn `name (file.py:12)` into `name (file.py)`."""
    return frame.rpartition(":")[0] + ")" if ":" in frame else frame
