"""What a heavy finance query does to calls: `python -m benchmarks.finance_beside [--events 5000000] [--seconds 10]`.

One gateway process on PostgreSQL and Redis takes 50 calls a second, alone and while a query groups every usage event,
again and again. The gateway has one core, and everything else the other: in production the database is another machine.
The gateway asks no table of usage on the way of a call.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psycopg

from tests.gateway.faults.world import World
from tests.services import session
from tests.services.atrium import ROOT, Atrium
from tests.services.processes import Running, wait_until
from tests.upstream import FakeUpstream

CALLS_PER_S = 50
FILL = """
INSERT INTO billing_usageevent (month, request_id, attempt, at, team_id, user_id, key_id, model_id, deployment_id,
  provider_id, endpoint, streamed, client, status, code, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
  reasoning_tokens, cost_nano_usd, latency_ms, ttft_ms, overhead_us, estimated, policy_version, price_id)
SELECT date_trunc('month', now())::date, 'req_filled_' || n, 1, date_trunc('month', now()) + n %% 86400 * interval '1 second',
  'team_' || n %% 200, 'user_' || n %% 5000, 'key_' || n %% 20000, 'mdl_' || n %% 40, 'dep_1', 'prov_1', 'chat.completions',
  false, '', 200, '', 100, 0, 0, 50, 0, 45000, 900, 300, 400, false, 1, '' FROM generate_series(1, %s) n
"""
QUERY = """
SELECT team_id, model_id, key_id, date_trunc('hour', at), sum(cost_nano_usd), count(*),
  percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FROM billing_usageevent GROUP BY 1, 2, 3, 4
"""


def overheads(world: World, seconds: float) -> list[float]:
    """Call at a constant rate; return the milliseconds that the gateway itself took of each call, waits for stores included."""
    found, body = [], {"model": "left-model", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    with httpx.Client(base_url=world.url, headers={"authorization": f"Bearer {world.key}"}, timeout=20) as client:
        began = time.monotonic()
        for number in range(int(seconds * CALLS_PER_S)):
            due = began + number / CALLS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))
            answer = client.post("/v1/chat/completions", json=body).raise_for_status()
            found.append(float(answer.headers["x-atrium-overhead-ms"]))
    return found


def query_until(ended: threading.Event, url: str, times: list[float]) -> None:
    """Run the query over and over; the last is cancelled."""
    with psycopg.connect(url, autocommit=True) as connection:
        threading.Thread(target=lambda: (ended.wait(), connection.cancel()), daemon=True).start()
        while not ended.is_set():
            began = time.monotonic()
            try:
                connection.execute(QUERY).fetchall()
            except psycopg.errors.QueryCanceled:
                return
            times.append(time.monotonic() - began)


def shown(title: str, found: list[float]) -> str:
    """Return a row: median and 99th percentile."""
    return f"| {title} | {statistics.median(found):.2f} | {statistics.quantiles(found, n=100)[98]:.2f} |"


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {1})  # inherited by all that is started
    session.begin()
    try:
        with FakeUpstream() as left, FakeUpstream() as right, tempfile.TemporaryDirectory() as folder:
            atrium = Atrium(Path(folder), on_postgres=True, ATRIUM_DEMO="0")
            atrium.command("migrate")
            command = ["taskset", "-c", "0", sys.executable, "manage.py", "gateway", "--port", str(atrium.port)]
            gateway = Running(command, folder=Path(folder), name="gateway", env=atrium.env, cwd=ROOT)
            wait_until(atrium.is_ready, what="start of the gateway", timeout_s=60)
            world = World(atrium, left, right)
            with psycopg.connect(atrium.env["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(FILL, (arguments.events,))
            print(f"| 50 calls/s, {arguments.events} events: what the gateway takes | p50 ms | p99 ms |\n|---|---|---|")
            print(shown("alone", overheads(world, arguments.seconds)))
            ended, times = threading.Event(), list[float]()
            querying = threading.Thread(target=query_until, args=(ended, atrium.env["DATABASE_URL"], times))
            querying.start()
            print(shown("beside the query", overheads(world, arguments.seconds)))
            ended.set()
            querying.join()
            print(
                f"\nThe query took {statistics.mean(times):.1f} s." if times else "\nThe query took longer than that."
            )
            gateway.stop()
    finally:
        session.end()


if __name__ == "__main__":
    main()
