"""Processes of a measurement: started on a core, their CPU and memory read from /proc with all that they started."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.services.processes import Running, wait_until

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
GATEWAY_CORE, LOAD_CORE = 0, 1


class Started:
    """A command on cores of its own. It ends with the benchmark, at the latest."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        name: str,
        cores: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str = "-",
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        pinned = ["taskset", "-c", cores, *command]
        self.began = time.monotonic()
        self._running = Running(
            pinned,
            folder=folder,
            name=name,
            env=env,
            cwd=cwd,
            user=user,
            owner_pid=os.getpid(),
            stop_signal=stop_signal,
        )
        self.pid = self._running.pid

    def log(self) -> str:
        """Return the last lines that it printed."""
        return "\n".join(self._running.log().splitlines()[-15:])

    @property
    def ended(self) -> bool:
        return self._running.returncode is not None

    def tree(self) -> list[int]:
        """Return its process id and those of all descendants."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := _stat(int(entry))):
                children.setdefault(int(fields[1]), []).append(int(entry))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds of all its processes and threads, of ended children too."""
        times = [fields for pid in self.tree() if (fields := _stat(pid))]
        own = sum(int(fields[11]) + int(fields[12]) for fields in times)
        return (own + sum(int(fields[13]) + int(fields[14]) for fields in times)) * TICK_S

    def memory_mb(self) -> float:
        """Return the memory of all its processes in MB (10^6 bytes); what they share counts once (PSS)."""
        return sum(_pss_kb(pid) for pid in self.tree()) * 1024 / 1e6

    def pause(self) -> None:
        """Halt all its processes, so that they take nothing from who is measured."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to stop, and wait; after 30 s end it."""
        if self.ended:
            return
        self.go_on()
        try:
            self._running.stop()
        except AssertionError:
            self._running.kill()

    def _signal(self, number: int) -> None:
        for pid in self.tree():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def free_ports(first: int) -> Iterator[int]:
    """Yield ports from `first` on that nobody listens on."""
    for port in range(first, first + 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def wait_for_port(port: int, process: Started, timeout_s: float = 60) -> None:
    """Return once somebody listens. Raises RuntimeError with the log of `process` if it ends before."""

    def there() -> bool:
        if process.ended:
            raise RuntimeError(process.log())
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(there, what=f"a listener on port {port}", timeout_s=timeout_s)


def answers(url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Say whether a POST is answered with 200."""
    request = urllib.request.Request(url, body, {"content-type": "application/json", **headers})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"answered {error.code}: {error.read().decode(errors='replace')[:500]}") from None
    except OSError:
        return False


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this process on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
