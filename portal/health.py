"""`/healthz` (is the process alive, and how is it?) and `/readyz` (should it get traffic?), answered beside Django.

Neither asks for a connection that calls or pages wait for, and neither is ever shed.
"""

from time import monotonic
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from gateway.control.database import DatabaseThread
from gateway.control.plane import ControlPlane
from portal.probe import Finding, Probe

PATHS = {"/healthz", "/readyz"}


class Health:
    """How this process and the stores beneath it are."""

    def __init__(self) -> None:
        self._thread = DatabaseThread("health")  # with a connection of its own
        self._probes = {"database": Probe(lambda: self._thread.run(_select))}
        if settings.REDIS_URL:
            self._probes["redis"] = Probe(_Redis(settings.REDIS_URL).ping)

    async def answer(self, path: str, plane: ControlPlane | None) -> tuple[int, bytes]:
        """Return status and JSON body.

        `/healthz` is 200 as long as the process runs; `/readyz` is 503 when calls (or, in the portal, pages) would fail.
        """
        findings = {name: await probe.look() for name, probe in self._probes.items()}
        gateway = plane.state() if plane is not None else None
        problems = [words for name, finding in findings.items() if (words := _problem(name, finding))]
        problems += gateway["problems"] if gateway else []
        ready = bool(gateway["ready"]) if gateway else findings["database"].ok
        state: dict[str, Any] = {"status": "degraded" if problems else "ok", "ready": ready, "problems": problems}
        state |= {name: {"ok": finding.ok, "ms": finding.ms} for name, finding in findings.items()}
        if gateway:
            state["gateway"] = gateway
        return (200 if path == "/healthz" or ready else 503), orjson.dumps(state)

    async def down(self) -> dict[str, bool]:
        """Say of each store whether it is silent, for metrics."""
        return {name: not (await probe.look()).ok for name, probe in self._probes.items()}

    def close(self) -> None:
        """Let the connection go. A question that hangs is not waited for."""
        self._thread.shutdown(wait=False)


def _problem(name: str, finding: Finding) -> str:
    store = {"database": "The database", "redis": "Redis"}[name]
    if not finding.ok:
        return f"{store} has not answered for {monotonic() - finding.since:.0f} s."
    return f"{store} is slow: it took {finding.ms} ms to answer." if finding.slow else ""


def _select() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


class _Redis:
    """A connection to Redis for this purpose alone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None

    async def ping(self) -> None:
        """Raise RedisError or OSError when it does not answer."""
        if self._client is None:
            from redis.asyncio import Redis  # needs a Redis client only here

            self._client = Redis.from_url(self._url, socket_connect_timeout=2, socket_timeout=2)
        await self._client.ping()
