"""Where a real gateway's time goes: `python -m benchmarks.profile [atrium|embedded|litellm] [--stream] [--seconds 8]`.

The gateway is started as in production on one core, the load and the fake provider run on the other, and py-spy looks
at it from outside: microseconds a call (`--paced`: a chunk) by thread, function and line. C functions count for the line that called them.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import figures, load, other_side, pyspy
from benchmarks.processes import LOAD_CORE, on_core
from benchmarks.world import World


def main() -> None:
    """Profile, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway", nargs="?", default="atrium", choices=["atrium", "embedded", "litellm"])
    parser.add_argument("--stream", action="store_true", help="streams of 200 chunks instead of whole answers")
    parser.add_argument("--paced", action="store_true", help="100 streams at a time, a chunk each 100 ms; per chunk")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--top", type=int, default=45)
    given = parser.parse_args()
    pyspy.binary()
    with World() as world, on_core(LOAD_CORE), tempfile.NamedTemporaryFile() as file:
        gateway = world.gateway(given.gateway)
        gateway.start()
        process, target = gateway.running, gateway.target()
        request = gateway.request(streamed=given.stream or given.paced, paced=given.paced)

        def work(seconds: float) -> load.Load:
            if given.paced:
                return other_side.run(load.paced(target, request, figures.STREAMS, seconds))
            return other_side.run(load.closed(target, [request], given.connections, seconds))

        work(2)  # warm
        before, threads_before = process.cpu_s(), pyspy.threads_cpu_s(process.pid)
        plain = work(3)
        units = plain.chunks if given.paced else plain.done
        each_us = (process.cpu_s() - before) / units * 1e6
        threads_us = {
            number: (cpu_s - threads_before.get(number, 0.0)) / units * 1e6
            for number, cpu_s in pyspy.threads_cpu_s(process.pid).items()
        }
        watching = pyspy.record(process.pid, given.seconds, Path(file.name))
        work(given.seconds)
        watching.wait(60)
        what = "chunk" if given.paced else "call"
        rate = units / plain.seconds
        print(f"{gateway.name} {gateway.version()}: {rate:,.0f} {what}s/s, {each_us:.1f} µs CPU each (unwatched)")
        print(pyspy.report(Path(file.name), threads_us, given.top))


if __name__ == "__main__":
    main()
