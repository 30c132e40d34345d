"""Atrium beside other gateways: `make bench [ARGS="--quick --gateways atrium,nginx --figures chat,low"]`.

One run: gateways take turns in every round, one core for the gateway under test, the other for the load generator, the
fake provider and the stores; who is not measured is halted. Prints medians over rounds, and ratios, and writes both to
.bench/results.md and .json. docs/benchmarks.md says how it is measured.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from itertools import repeat

from benchmarks import figures, load, portal
from benchmarks.figures import FIGURES, ONCE, Duration, Subject
from benchmarks.gateways.base import CACHE
from benchmarks.processes import LOAD_CORE, on_core
from benchmarks.results import DIRECT, Results, document
from benchmarks.turns import Turn, measure_keys, start_all
from benchmarks.world import NAMES, World

SOAK, SOAK_STEP = 1_000_000, 100_000
EXTRA = ("two", "keys")


def main(arguments: list[str]) -> int:
    """Run what the flags ask for."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gateways", default=",".join(NAMES), help=f"some of {', '.join(NAMES)}")
    parser.add_argument(
        "--figures", default=",".join((*FIGURES, *EXTRA)), help=f"some of {', '.join((*FIGURES, *EXTRA))}"
    )
    parser.add_argument("--soak", action="store_true", help="10^6 requests to Atrium")
    parser.add_argument("--portal", action="store_true", help="the portal at size")
    given = parser.parse_args(arguments)
    if given.portal:
        return portal.main([])
    if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
        parser.error("it needs Linux and two cores")
    with World() as world, on_core(LOAD_CORE):
        if given.soak:
            _soak(world)
            return 0
        results = _compare(world, given)
    results.about["command"] = "make bench" + (f' ARGS="{" ".join(arguments)}"' if arguments else "")
    CACHE.mkdir(exist_ok=True)
    text = document(results)
    (CACHE / "results.md").write_text(text)
    (CACHE / "results.json").write_text(json.dumps(results.as_json(), indent=1))
    print(f"\n{text}\nalso in {CACHE}/results.md and results.json")
    return 0


def _compare(world: World, given: argparse.Namespace) -> Results:
    results, began = Results(), time.monotonic()
    results.about["date"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    results.about["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    duration = Duration(1.0, 2.0, 2.0) if given.quick else Duration()
    rounds = 1 if given.quick else given.rounds
    wanted = given.figures.split(",")
    results.about["rounds"] = f"{rounds}, medians; {duration.busy:g} s each under full load"
    turns = start_all(world, given.gateways.split(","), results, rounds, with_fleet="two" in wanted)
    for number in range(rounds):
        for name in (name for name in FIGURES if name in wanted):
            if name in ONCE and number > 0:
                continue
            _say(f"round {number + 1} of {rounds}: {name}")
            _round(name, world, turns, results, duration)
        if "two" in wanted:
            for turn in turns:
                turn.scale(results, duration)
    for turn in turns:
        turn.end(results)
    if "keys" in wanted:
        measure_keys(turns, results, duration)
    results.about["took"] = f"{(time.monotonic() - began) / 60:.0f} minutes"
    return results


def _round(name: str, world: World, turns: list[Turn], results: Results, duration: Duration) -> None:
    direct = Subject(DIRECT, world.direct, lambda tls=False, **shape: world.request(**shape))
    results.add(DIRECT, name, FIGURES[name](direct, duration))
    for turn in turns:
        if not turn.fleet:
            turn.measure(name, results, duration)


def _soak(world: World) -> None:
    gateway = world.gateway("atrium")
    gateway.start()
    process, request = gateway.running, gateway.request()
    print(f"{0:>9,} requests: {process.memory_mb():.1f} MB")
    for done in range(SOAK_STEP, SOAK + 1, SOAK_STEP):
        spent = figures.run(figures.subject_of(gateway), load.counted(gateway.target(), repeat(request, SOAK_STEP), 32))
        memory = process.memory_mb()
        _say(f"{done:>9,} requests: {memory:.1f} MB, {spent.load.rate:,.0f}/s, {spent.each_us()['cpu_us']:.0f} µs CPU")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
