"""Where the time goes, by function: samples of the running thread, every call counted, or every instruction."""

import cProfile
import pstats
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

INTERVAL_S = 0.001


class Sampler:
    """Interrupts the main thread once a millisecond of CPU and notes who runs: true proportions, little overhead.

    The time of functions in C counts for the Python function that called them.
    """

    def __init__(self) -> None:
        self.own: Counter[CodeType] = Counter()
        self.within: Counter[CodeType] = Counter()
        self.lines: Counter[tuple[CodeType, int]] = Counter()

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.own[frame.f_code] += 1
        self.lines[frame.f_code, frame.f_lineno] += 1
        seen = set[CodeType]()
        while frame is not None:
            if frame.f_code not in seen:
                seen.add(frame.f_code)
                self.within[frame.f_code] += 1
            frame = frame.f_back

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample within the block."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def report(self, cpu_us_per_call: float, top: int) -> str:
        """Return the functions and the lines with most own time, in µs a call."""
        total = max(1, self.own.total())
        each = cpu_us_per_call / total
        lines = [f"{total} samples, {cpu_us_per_call:.1f} µs CPU a call", f"{'own µs':>8} {'total µs':>9}  function"]
        for code, count in self.own.most_common(top):
            lines.append(f"{count * each:8.2f} {self.within[code] * each:9.2f}  {_place(code, code.co_firstlineno)}")
        lines.append(f"\n{'own µs':>8}  line")
        for (code, line), count in self.lines.most_common(top):
            lines.append(f"{count * each:8.2f}  {_place(code, line)}")
        return "\n".join(lines)


def counted(profile: cProfile.Profile, calls: int, top: int) -> str:
    """Return each function's calls and own time per call of ours. The profiler's own cost inflates small functions."""
    lines = [f"{'own µs':>8} {'total µs':>9} {'calls':>7}  function (under cProfile: compare, do not add up)"]
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    ordered = sorted(stats.items(), key=lambda item: -item[1][2])[:top]
    for (file, line, name), (_, times, own, total, _) in ordered:
        place = f"{_short(file)}:{line} {name}"
        lines.append(f"{own / calls * 1e6:8.2f} {total / calls * 1e6:9.2f} {times / calls:7.2f}  {place}")
    return "\n".join(lines)


class Opcodes:
    """The bytecode instructions that Python runs, by function: the same however busy the machine is. C is not seen."""

    def __init__(self) -> None:
        self.found: Counter[CodeType] = Counter()

    async def count(self, once: Callable[[], Awaitable[None]], calls: int) -> None:
        """Make calls, and add up what they run."""
        for _ in range(calls):
            call = once()
            sys.settrace(self._enter)
            try:
                await call
            finally:
                sys.settrace(None)

    def report(self, calls: int, top: int) -> str:
        """Return the instructions of a call, in whole and of the functions with most."""
        lines = [f"{self.found.total() / calls:.0f} instructions a call"]
        lines += [
            f"{count / calls:8.1f}  {_place(code, code.co_firstlineno)}" for code, count in self.found.most_common(top)
        ]
        return "\n".join(lines)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Callable[[FrameType, str, Any], Any]:
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, frame: FrameType, event: str, _argument: Any) -> Callable[[FrameType, str, Any], Any]:
        if event == "opcode":
            self.found[frame.f_code] += 1
        return self._step


class CpuClock:
    """CPU seconds of this thread since it was made."""

    def __init__(self) -> None:
        self._began = time.thread_time()

    def seconds(self) -> float:
        """Return them."""
        return time.thread_time() - self._began


def _place(code: CodeType, line: int) -> str:
    return f"{_short(code.co_filename)}:{line} {code.co_qualname}" if hasattr(code, "co_qualname") else code.co_name


def _short(path: str) -> str:
    return "/".join(path.rsplit("/", 3)[-3:])
