"""`/healthz` (is the process alive, and how is it?) and `/readyz` (should it get traffic?), answered beside Django."""

import asyncio
from typing import Any

import orjson
from django.db import connection

from gateway.control.plane import ControlPlane

DATABASE_ANSWERS_WITHIN_S = 2.0
PATHS = {"/healthz", "/readyz"}


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    except Exception:  # whatever is wrong, the answer is no
        connection.close()
        return False


async def database_answers() -> bool:
    """Ask the database, for at most two seconds."""
    try:
        async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_S):
            return await asyncio.to_thread(_database_answers)
    except TimeoutError:
        return False


async def answer(path: str, plane: ControlPlane | None) -> tuple[int, bytes]:
    """Return status and JSON body. `/healthz` is 200 as long as the process runs; `/readyz` is 503 when calls would fail."""
    state: dict[str, Any] = {"database": await database_answers()}
    if plane is not None:
        state["gateway"] = plane.state()
        state["rates_degraded"] = bool(getattr(plane.runtime.rates, "degraded", False))
    ready = plane.state()["ready"] if plane is not None else state["database"]
    state["status"] = "ok" if ready and state["database"] else "degraded"
    return (200 if path == "/healthz" or ready else 503), orjson.dumps(state)
