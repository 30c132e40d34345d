"""What the journal costs a call: `python -m benchmarks.drain [--calls 20000] [--batch 1000]`.

Two figures on the stores that DATABASE_URL names (default: a fresh SQLite; on PostgreSQL name an empty database): the
CPU of writing a call's two entries, and the CPU and time of moving them to the database, batch by batch as a gateway
does. CPU is this process's own; the database server's is not in it.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

TEAMS, KEYS = 20, 200


def main() -> None:
    """Write a journal, drain it, and print microseconds a call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=1000, help="calls a batch")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        written_us = _write(Path(folder), chosen.calls)
        cpu_us, wall_us, slowest_ms = _drain(Path(folder), chosen.calls, chosen.batch)
    lines = [
        f"append   {written_us:6.2f} µs CPU a call (two entries)",
        f"drain    {cpu_us:6.2f} µs CPU a call, {wall_us:.2f} µs in all; slowest batch {slowest_ms:.1f} ms",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _prepare(folder: Path) -> None:
    os.environ["ATRIUM_DATA_DIR"] = str(folder)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from datetime import UTC, datetime

    from billing import partitions
    from billing.models import JournalOffset, Quota

    partitions.prepare(datetime.now(UTC).date())
    JournalOffset.objects.filter(incarnation="bench").delete()
    Quota.objects.filter(scope_id__startswith="bench_").delete()
    for number in range(TEAMS):
        Quota.objects.create(
            scope_kind="team", scope_id=f"bench_{number}", metric="usd", window="month", capacity=10**15
        )


def _write(folder: Path, calls: int) -> float:
    from billing.models import Quota
    from gateway.ids import new_id
    from gateway.journal.records import Closed, Hold, Opened
    from gateway.journal.writer import JournalWriter

    quotas = list(Quota.objects.filter(scope_id__startswith="bench_").values_list("id", flat=True))
    journal, pairs = JournalWriter(folder / "journal", "bench"), []
    for number in range(calls):
        name, at_ms = new_id("req"), int(time.time() * 1000)
        opened = Opened(
            name, 1, at_ms, "bench", f"team_{number % TEAMS:022}", f"user_{number % KEYS:022}",
            f"key_{number % KEYS:022}", None, f"mdl_{1:022}", f"dep_{1:022}", f"prov_{1:022}", "chat.completions",
            False, "openai-python/2.8.1", 7, f"price_{1:022}", 123_456, 110, 200,
            (Hold(quotas[number % TEAMS], 1_796_083_200, 123_456),),
        )  # fmt: skip
        pairs.append((opened, Closed(name, 1, at_ms + 400, 200, "", 110, 0, 0, 100, 0, 76_500, 412, 120, 180, False)))
    began = time.thread_time()
    for opened, closed in pairs:
        journal.append(opened)
        journal.append(closed)
    spent = time.thread_time() - began
    journal.close()
    return spent / calls * 1e6


def _drain(folder: Path, calls: int, batch: int) -> tuple[float, float, float]:
    from billing.models import UsageEvent
    from gateway.control import drain
    from gateway.journal.reader import JournalReader

    drain.BATCH = 2 * batch
    draining = drain.Drain(JournalReader(folder / "journal", "bench"))
    before = UsageEvent.objects.count()
    calls_measured = calls - draining.step() // 2  # the first batch opens the connection and makes the staging table
    slowest, cpu, began = 0.0, time.thread_time(), time.perf_counter()
    while True:
        start = time.perf_counter()
        if not draining.step():
            break
        slowest = max(slowest, time.perf_counter() - start)
    cpu, wall = time.thread_time() - cpu, time.perf_counter() - began
    if UsageEvent.objects.count() - before != calls:
        raise SystemExit("not every call arrived")
    return cpu / calls_measured * 1e6, wall / calls_measured * 1e6, slowest * 1000


if __name__ == "__main__":
    main()
