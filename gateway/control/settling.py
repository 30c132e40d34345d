"""Asks providers what became of background responses, so that what they used is settled though nobody fetches it."""

import asyncio
import logging
import time

from gateway.control.kept import DatabaseKept
from gateway.dialects.shapes import answered
from gateway.errors import GatewayError, NotKeptError
from gateway.kept.records import Kept
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.ask import operation_of, path_of, place_of, request_to
from gateway.stages.settle import settle_response

log = logging.getLogger(__name__)

LOOK_S = 2.0
SWEEP_S = 3600.0
AT_ONCE = 20
WITHIN_S = 30.0


class Settler:
    """Looks for what is due; each process takes its own share. `run` is a task."""

    def __init__(self, runtime: Runtime, kept: DatabaseKept) -> None:
        self._runtime, self._kept = runtime, kept
        self._sweep_at = time.monotonic() + SWEEP_S

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.once()
                if time.monotonic() >= self._sweep_at:
                    self._sweep_at = time.monotonic() + SWEEP_S
                    await self._kept.sweep()
            except Exception as error:  # the database may be away; what is due stays due
                log.warning("background responses are not settled at present: %s", type(error).__name__)

    async def once(self) -> None:
        """Ask about everything that is due."""
        for kept in await self._kept.due(AT_ONCE):
            try:
                await self._ask(kept)
            except GatewayError as error:
                log.info("the background response %s is asked about again: %s", kept.id, error.code)

    async def _ask(self, kept: Kept) -> None:
        """Settle a response, if it has ended; where its provider has forgotten it, what was charged stays."""
        snapshot = self._runtime.ready_snapshot()
        try:
            place = place_of(kept, snapshot)
            response = await self._response(kept, place)
        except NotKeptError:
            log.warning("what %s used is not known: its provider does not keep it any more", kept.id)
            await self._kept.settle(kept.id, None, 0)
            return
        if response is not None:
            await settle_response(kept, response, self._runtime)

    async def _response(self, kept: Kept, place: DeploymentPolicy) -> dict[str, object] | None:
        """Return what the provider says of a response, None where it cannot say now. Raises NotKeptError."""
        runtime, body = self._runtime, b""
        request = await request_to(place, "GET", path_of(place, operation_of(kept)), runtime)
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await runtime.upstream.open(request)
                try:
                    while len(body) < runtime.limits.max_response_bytes and (data := await answer.chunk()):
                        body += data
                finally:
                    answer.close()
        except TimeoutError:
            return None
        if answer.status == 404:
            raise NotKeptError(f"{kept.id} is gone.")
        return answered(body) if answer.status == 200 else None
