"""How long a stopped provider and a revoked key still serve: `python -m benchmarks.revocation [--rounds 20] [--postgres]`.

With the notification (the portal acts in the gateway's own process and wakes it) and without (another process acts, and
the gateway polls the change feed). Seconds from the commit (with the portal: from the click) to the last call that was
served, and to the end of a stream under way.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.gateway.faults.world import World
from tests.services import session
from tests.services.atrium import ROOT, Atrium
from tests.services.processes import wait_until
from tests.upstream import FakeUpstream

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Caller:
    """Calls every few milliseconds, and knows when the last call that was served had been sent."""

    def __init__(self, world: World, key: str) -> None:
        self.last_served = 0.0
        self._left = threading.Event()
        self._client = httpx.Client(base_url=world.url, headers={"authorization": f"Bearer {key}"}, timeout=10)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Caller":
        self._thread.start()
        wait_until(lambda: bool(self.last_served), what="a call")
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        body = {"model": "left-model", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
        while not self._left.wait(0.003):
            sent = time.monotonic()
            if self._client.post("/v1/chat/completions", json=body).status_code == 200:
                self.last_served = sent


class OtherProcess:
    """Acts in a process of its own: the gateway hears nothing of it. Returns when it was committed (monotonic)."""

    def __init__(self, atrium: Atrium) -> None:
        command = [sys.executable, "-m", "benchmarks.revocation", "--act"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=atrium.env, cwd=ROOT, **pipes)

    def __call__(self, *arguments: str) -> float:
        assert self._process.stdin and self._process.stdout  # noqa: S101 - they are pipes
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


class Portal:
    """Acts in the portal, in the gateway's process. Returns when the form was sent (monotonic)."""

    def __init__(self, atrium: Atrium) -> None:
        self._http = httpx.Client(base_url=f"http://localhost:{atrium.port}", follow_redirects=True, timeout=20)
        self._send("/accounts/login/", "/accounts/persona/", persona="pia")

    def __call__(self, what: str, name: str) -> float:
        if what == "revoke":
            return self._send(f"/keys/{name}/revoke")
        if what == "stop":
            return self._send("/stops/new", kind="provider", name=name, reason="Measured")
        lift = re.search(r'href="(/stops/[^"]+/lift)"', self._http.get("/stops").text)
        return self._send(lift[1], reason="Measured") if lift else 0.0

    def _send(self, page: str, to: str = "", **fields: str) -> float:
        token = TOKEN.search(self._http.get(page).text)
        data = {"csrfmiddlewaretoken": token[1] if token else "", **fields}
        sent = time.monotonic()
        self._http.post(to or page, data=data).raise_for_status()
        return sent


def act() -> None:
    """Do what is asked for on standard input, and say when it was committed."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    import django

    django.setup()
    from portal.home.stops import stop_target, target_named
    from portal.keys.actions.keys import revoke_key
    from portal.keys.models import Key
    from portal.people.actions.stops import lift_stop
    from portal.people.audit import Actor
    from portal.people.models import Stop

    actor = Actor("command", name="benchmark")
    for line in sys.stdin:
        what, name = json.loads(line)
        if what == "revoke":
            revoke_key(actor=actor, key=Key.objects.get(pk=name), reason="Measured")
        elif what == "stop":
            stop_target(actor=actor, target=target_named("provider", name), reason="Measured")
        else:
            lift_stop(actor=actor, stop=Stop.objects.get(), reason="Measured")
        print(time.monotonic(), flush=True)


def once(world: World, key: str, do: Callable[..., float], what: str, name: str) -> tuple[float, float]:
    """Return how long calls were served, and how long a stream went on, in seconds."""
    stream = world.listen(key=key)
    with Caller(world, key) as caller:
        done_at = do(what, name)
        wait_until(lambda: bool(stream.ended_at), what="end of the stream", timeout_s=20)
        time.sleep(0.3)
    return max(0.0, caller.last_served - done_at), stream.ended_at - done_at


def measure(world: World, do: Callable[..., float], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Stop a provider, and revoke a key, again and again."""
    found: dict[str, list[tuple[float, float]]] = {"stop a provider": [], "revoke a key": []}
    for number in range(rounds):
        found["stop a provider"].append(once(world, world.key, do, "stop", "left"))
        do("lift", "")
        wait_until(lambda: world.status() == 200, what="service")
        key = world.mint("sam@example.com", f"measured {id(do)} {number}")
        key_id = httpx.get(f"{world.url}/v1/key", headers={"authorization": f"Bearer {key}"}).json()["id"]
        found["revoke a key"].append(once(world, key, do, "revoke", key_id))
    return found


def main() -> None:
    """Parse arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--act", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.act:
        act()
        return
    session.begin()
    try:
        with FakeUpstream() as left, FakeUpstream() as right, tempfile.TemporaryDirectory() as folder:
            atrium = Atrium(Path(folder), on_postgres=arguments.postgres).start()
            world = World(atrium, left, right)
            print("| | | last call served after (s): median, worst | stream cut after (s): median, worst |")
            print("|---|---|---|---|")
            for title, do in (("on", Portal(atrium)), ("off", OtherProcess(atrium))):
                for what, pairs in measure(world, do, arguments.rounds).items():
                    shown = [f"{statistics.median(part):.3f}, {max(part):.3f}" for part in zip(*pairs, strict=True)]
                    print(f"| {what} | notification {title} | {shown[0]} | {shown[1]} |")
            atrium.stop()
    finally:
        session.end()


if __name__ == "__main__":
    main()
