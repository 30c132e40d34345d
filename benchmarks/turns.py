"""Whose turn it is: gateways are started once, halted, and woken only to be measured."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import figures, load, other_side
from benchmarks.figures import FIGURES, MS, Duration, Numbers, Subject
from benchmarks.gateways.atrium import Fleet, Production
from benchmarks.gateways.base import Gateway, Missing
from benchmarks.keyfill import fill
from benchmarks.load import Wrong, quantile
from benchmarks.processes import answers
from benchmarks.results import ATRIUM, Results
from benchmarks.world import FLEET, World
from tests.services.environment import SECRETS
from tests.services.processes import wait_until


@dataclass
class Turn:
    """A started gateway that waits for its turn."""

    gateway: Gateway
    subject: Subject

    @property
    def fleet(self) -> bool:
        return isinstance(self.gateway, Fleet)

    def measure(self, name: str, results: Results, duration: Duration) -> None:
        """Measure one figure. What goes wrong is written down, and not tried again."""
        if name in results.failed.get(self.gateway.name, {}):
            return
        with noting(self.gateway.name, name, results), self.awake(duration):
            results.add(self.gateway.name, name, FIGURES[name](self.subject, duration))

    def scale(self, results: Results, duration: Duration) -> None:
        """Measure a fleet against the one process: what two that share a core keep of its speed, × 2."""
        one = results.rounds.get(ATRIUM, {}).get(("chat", "per_s"))
        if not self.fleet or not one:
            return
        with noting(self.gateway.name, "two", results), self.awake(duration):
            numbers = figures.chat(self.subject, duration)
            results.add(ATRIUM, "two", {"cpu_us": numbers["cpu_us"], "scale": 2 * numbers["per_s"] / one[-1]})

    def end(self, results: Results) -> None:
        """Note its memory and stop it."""
        if not self.fleet:
            with noting(self.gateway.name, "memory", results), self.awake(Duration(1.0)):
                results.add(self.gateway.name, "memory", {"after_mb": self.gateway.running.memory_mb()})
        self.gateway.stop()

    @contextmanager
    def awake(self, duration: Duration) -> Iterator[None]:
        """Let it run, warm, for the block."""
        self.gateway.running.go_on()
        try:
            wait_until(self._answers, what=f"an answer of {self.gateway.name}", timeout_s=30)
            figures.warm(self.subject, duration)
            yield
        finally:
            self.gateway.running.pause()

    def _answers(self) -> bool:
        target = self.subject.target
        try:
            return other_side.ask(
                answers, f"http://{target.host}:{target.port}{target.path}", self.gateway.body(), dict(target.headers)
            )
        except RuntimeError:
            return False


def start_all(world: World, names: Sequence[str], results: Results, starts: int, *, with_fleet: bool) -> list[Turn]:
    """Prepare and start each gateway, `starts` times for the time it takes; return them halted."""
    turns = list[Turn]()
    for name in (*names, *([FLEET] if with_fleet and "atrium" in names else [])):
        try:
            gateway = world.gateway(name)
            _start(gateway, results, starts)
        except (Missing, RuntimeError, AssertionError) as error:
            results.missing[name] = _reason(error)
            print(f"{name}: not measured: {_reason(error)}", flush=True)
            continue
        turns.append(Turn(gateway, figures.subject_of(gateway)))
        gateway.running.pause()
    return turns


def _start(gateway: Gateway, results: Results, starts: int) -> None:
    if not isinstance(gateway, Fleet):
        results.versions[gateway.name], results.whats[gateway.name] = gateway.version(), gateway.what
    for number in range(starts):
        seconds = gateway.start()
        results.add(gateway.name, "start", {"seconds": seconds})
        if number < starts - 1:
            gateway.stop()
    print(f"{gateway.name} {gateway.version()}: ready in {seconds:.1f} s", flush=True)


def measure_keys(turns: Sequence[Turn], results: Results, duration: Duration) -> None:
    """Fill Atrium's database with 500,000 keys, start it anew, and call with 5,000 of them."""
    gateway = next((turn.gateway for turn in turns if turn.gateway.name == ATRIUM), None)
    if not isinstance(gateway, Production):
        return
    print("500,000 keys", flush=True)
    with noting(ATRIUM, "keys", results):
        results.add(ATRIUM, "keys", _with_keys(gateway, duration))


def _with_keys(gateway: Production, duration: Duration) -> Numbers:
    secrets = fill(gateway.database_url, SECRETS["ATRIUM_PEPPER"])
    gateway.start()
    usual, target, requests = gateway.key, gateway.target(), list[bytes]()
    for gateway.key in secrets:
        requests.append(gateway.request())
    gateway.key = usual
    subject = figures.subject_of(gateway)
    cold = figures.run(subject, load.counted(target, requests, figures.PARALLEL))
    warm = figures.run(subject, load.closed(target, requests, figures.PARALLEL, duration.busy))
    memory_mb = gateway.running.memory_mb()
    gateway.stop()
    return {
        "cold_per_s": cold.load.rate,
        "cold_p99_ms": quantile(cold.load.latencies, 0.99) * MS,
        "cold_cpu_us": cold.each_us()["cpu_us"],
        "warm_per_s": warm.load.rate,
        "warm_cpu_us": warm.each_us()["cpu_us"],
        "memory_mb": memory_mb,
    }


@contextmanager
def noting(gateway: str, name: str, results: Results) -> Iterator[None]:
    """Write down what goes wrong in the block, and go on after it."""
    began = time.monotonic()
    try:
        yield
    except (ExceptionGroup, Wrong, AssertionError, OSError, RuntimeError) as error:
        results.failed.setdefault(gateway, {})[name] = _reason(error)
        print(f"  {gateway} failed: {_reason(error)}", flush=True)
    else:
        print(f"  {gateway} ({time.monotonic() - began:.0f} s)", flush=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    return " ".join(str(error).split())[:300] or type(error).__name__
