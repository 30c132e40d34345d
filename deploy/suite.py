"""Runs the whole test suite twice, on SQLite and on PostgreSQL + Redis, and ends with one summary line for both."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from deploy import python_env
from deploy.failures import Stop
from tests.services import browser, postgres, redis, session

COUNTED = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|warnings?|deselected)")
LAST_LINE = re.compile(r"=*\s*((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+s.*")
COLOURS = re.compile(r"\x1b\[[\d;]*m")
ORDER = ("failed", "error", "passed", "skipped", "xfailed", "xpassed", "warning")
NOTHING_RAN = 5
# What does not touch the stores, or brings its own, runs once; so does the browser, whose pages the second run asks for
# without one.
ONCE = "static or browser or deploy or fleet or pure"


@dataclass
class Outcome:
    """What one run of pytest said."""

    code: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Run what the flags ask for, handing all else to pytest; return the exit code."""
    parser = argparse.ArgumentParser(prog="make test", description=__doc__)
    parser.add_argument("--soak", action="store_true", help="the long versions, which make test samples")
    parser.add_argument("--stores", choices=("both", "sqlite", "postgres"), default="both")
    asked, chosen = parser.parse_known_args(arguments)
    begun = time.monotonic()
    outcomes = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends this ends what it started, too
    session.begin()
    try:
        _get_browser()
        for run in (_on_sqlite, _on_postgres):
            if asked.stores in {"both", run.__name__.removeprefix("_on_")}:
                outcomes.append(run("soak" if asked.soak else "not soak", chosen))
    except (Stop, postgres.NoPostgres, redis.NoRedis) as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    finally:
        session.end()
    return _conclude(outcomes, time.monotonic() - begun, narrowed=bool(chosen))


def _on_sqlite(length: str, chosen: list[str]) -> Outcome:
    plain = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return _run("SQLite", ["-m", length, *chosen], plain)


def _on_postgres(length: str, chosen: list[str]) -> Outcome:
    return _run("PostgreSQL and Redis", ["-m", f"{length} and not ({ONCE})", *chosen], {**os.environ, **_stores()})


def _stores() -> dict[str, str]:
    """Return where the second half keeps its data: the given servers, else our own. Their databases are made for the run."""
    for given, name in (("DATABASE_URL", "TEST_DATABASE_URL"), ("REDIS_URL", "TEST_REDIS_URL")):
        if os.environ.get(given, "").startswith(("postgres", "redis")):
            os.environ.setdefault(name, os.environ[given])
    return {
        "ATRIUM_TEST_STORES": "postgres",
        "DATABASE_URL": postgres.fresh_database(),
        "REDIS_URL": redis.fresh_redis(),
    }


def _get_browser() -> None:
    """Root on Debian installs Chromium where it is missing; anybody else is told how."""
    if browser.find_chromium() is not None:
        return
    if os.geteuid() != 0 or not os.path.exists("/usr/bin/apt-get"):
        raise Stop(browser.MISSING)
    print("Chromium is missing: installing it with apt-get …", flush=True)
    python_env.apt_install("chromium")


def _run(stores: str, arguments: list[str], environment: dict[str, str]) -> Outcome:
    print(f"\n== {stores} ==", flush=True)
    # In the order of their names: by number of tests, the few that take minutes would all come last.
    # One more than there are cores, since many tests wait for a process to start or a time to pass.
    workers = ["-n", str(min((os.cpu_count() or 2) + 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder"]
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    command = [sys.executable, "-m", "pytest", *workers, *colour, *arguments]
    outcome = Outcome()
    with subprocess.Popen(command, cwd=python_env.ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                _note(COLOURS.sub("", line).strip(), stores, outcome)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            raise
    outcome.code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    if outcome.code not in {0, 1, NOTHING_RAN}:
        outcome.complaints.append(f"ERROR pytest itself ended with {outcome.code}  [{stores}]")
    return outcome


def _note(line: str, stores: str, outcome: Outcome) -> None:
    if line.startswith(("FAILED ", "ERROR ")):
        outcome.complaints.append(f"{line}  [{stores}]")
    elif LAST_LINE.fullmatch(line.rstrip("= ")):
        outcome.counts = {
            kind.rstrip("s") if kind.startswith(("error", "warn")) else kind: int(n)
            for n, kind in COUNTED.findall(line)
        }


def _conclude(outcomes: list[Outcome], seconds: float, *, narrowed: bool) -> int:
    """Print what failed in either run and the sum of both, as pytest would; return the exit code."""
    accepted = {0, NOTHING_RAN} if narrowed else {0}
    codes = [outcome.code for outcome in outcomes if outcome.code not in accepted]
    if narrowed and all(outcome.code == NOTHING_RAN for outcome in outcomes):
        codes = [NOTHING_RAN]
    print("\n== all ==")
    for complaint in (line for outcome in outcomes for line in outcome.complaints):
        print(complaint)
    totals = {kind: sum(outcome.counts.get(kind, 0) for outcome in outcomes) for kind in ORDER}
    words = ", ".join(
        f"{n} {kind}{'s' if kind in {'error', 'warning'} and n != 1 else ''}" for kind, n in totals.items() if n
    )
    print(f" {words or 'no tests ran'} in {seconds:.2f}s ".center(80, "="), flush=True)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
