"""What waiting for the journal adds to a call: `python -m benchmarks.durability [--seconds 3] [--folder DIR]`.

From `append` of an opened entry until it may be dialled, for each kind of journal; the one in the database on the empty
PostgreSQL that DATABASE_URL names. The files are in a temporary folder below DIR: name one on the disk in question.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

AT_ONCE = (1, 32)


def main() -> None:
    """Print p50 and p99 for each kind and number of callers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        os.environ["ATRIUM_DATA_DIR"] = folder
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        for kind in ("file", "fsync", "database"):
            for at_once in AT_ONCE:
                waits = asyncio.run(_measure(kind, Path(folder), at_once, chosen.seconds))
                waits.sort()
                p50, p99 = waits[len(waits) // 2] * 1000, waits[len(waits) * 99 // 100] * 1000
                sys.stdout.write(f"{kind:9} {at_once:3} at once   p50 {p50:7.3f} ms   p99 {p99:7.3f} ms\n")


async def _measure(kind: str, folder: Path, at_once: int, seconds: float) -> list[float]:
    from gateway.control.journals import FileJournals, TableJournals
    from gateway.ids import new_id

    name = new_id("gw")
    places: Any = (
        TableJournals(name, lambda: None)
        if kind == "database"
        else FileJournals(folder / "journal", name, fsync=kind == "fsync", max_bytes=1 << 32)
    )
    journal = await places.begin()
    waits: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_caller(journal, waits, until) for _ in range(at_once)))
    await places.end()
    return waits


async def _caller(journal: Any, waits: list[float], until: float) -> None:
    from gateway.ids import new_id
    from gateway.journal.records import Opened

    while time.perf_counter() < until:
        opened = Opened(
            new_id("req"), 1, 1_790_000_000_000, "bench", f"team_{1:022}", f"user_{1:022}", f"key_{1:022}", None,
            f"mdl_{1:022}", f"dep_{1:022}", f"prov_{1:022}", "chat.completions", False, "openai-python/2.8.1", 7,
            f"price_{1:022}", 123_456, 110, 200, (),
        )  # fmt: skip
        began = time.perf_counter()
        durable = journal.append(opened)
        if durable is not None:
            await durable
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)  # a caller has other things to do, too


if __name__ == "__main__":
    main()
