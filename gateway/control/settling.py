"""Asks providers what became of background responses and batches, so that what they used is settled though nobody fetches it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from gateway.control.kept import DatabaseKept
from gateway.dialects.shapes import answered
from gateway.errors import GatewayError, NotKeptError, UpstreamError
from gateway.kept.records import Kept
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy
from gateway.stages.ask import operation_of, path_of, place_of, request_to
from gateway.stages.batch_use import ENDED, Tally, completed_of
from gateway.stages.settle import settle_response

log = logging.getLogger(__name__)

LOOK_S = 2.0
SWEEP_S = 3600.0
AT_ONCE = 20
WITHIN_S = 30.0
FILE_WITHIN_S = 300.0


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
                    more = await self._kept.sweep()
                    self._sweep_at = time.monotonic() + (0.0 if more else SWEEP_S)
            except Exception as error:  # the database may be away; what is due stays due
                log.warning("background responses are not settled at present: %s", type(error).__name__)

    async def once(self) -> None:
        """Ask about everything that is due."""
        for kept in await self._kept.due(AT_ONCE):
            try:
                await self._ask(kept)
            except (GatewayError, TimeoutError) as error:
                log.info("the background work %s is asked about again: %s", kept.id, type(error).__name__)

    async def _ask(self, kept: Kept) -> None:
        """Settle a response, if it has ended; where its provider has forgotten it, what was charged stays."""
        snapshot, settled = self._runtime.ready_snapshot(), True
        try:
            place = place_of(kept, snapshot)
            told = await self._told(kept, place)
            if told is not None and kept.kind == "batch":
                settled = await self._batch(kept, told, place)
            elif told is not None:
                await settle_response(kept, told, self._runtime)
        except NotKeptError:
            settled = False
        if not settled:
            log.warning("what %s used is not known: what was charged stays", kept.id)
            await self._kept.settle(kept.id, None, 0)

    async def _batch(self, kept: Kept, told: Mapping[str, Any], place: DeploymentPolicy) -> bool:
        """Settle a batch by its output, if it has ended. Returns False where nobody will ever say what it used."""
        pending = await self._kept.pending(kept.id)
        if told.get("status") not in ENDED or pending is None:
            return True
        tally, output = Tally(str(kept.facts.get("url")), pending.price), told.get("output_file_id")
        if isinstance(output, str):
            file = msgspec.structs.replace(kept, kind="file", upstream_id=output)
            async with asyncio.timeout(FILE_WITHIN_S):
                async for line in self._lines(path_of(place, operation_of(file, "content")), place):
                    tally.add(line)
        if tally.untold or tally.answered < completed_of(told):
            return False
        await self._kept.settle(kept.id, tally.usage, tally.cost_nano_usd)
        return True

    async def _told(self, kept: Kept, place: DeploymentPolicy) -> dict[str, Any] | None:
        """Return what the provider says of an object, None where it cannot say now. Raises NotKeptError."""
        body = b""
        try:
            async with asyncio.timeout(WITHIN_S):
                async for data in self._chunks(path_of(place, operation_of(kept)), place):
                    body += data
                    if len(body) > self._runtime.limits.max_response_bytes:
                        return None
        except TimeoutError:
            return None
        return answered(body)

    async def _lines(self, path: str, place: DeploymentPolicy) -> AsyncIterator[bytes]:
        """Yield the lines of a file. Raises UpstreamError where it is not whole, NotKeptError."""
        rest = b""
        async for data in self._chunks(path, place):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line
        yield rest

    async def _chunks(self, path: str, place: DeploymentPolicy) -> AsyncIterator[bytes]:
        request = await request_to(place, "GET", path, self._runtime)
        answer = await self._runtime.upstream.open(request)
        try:
            if answer.status == 404:
                raise NotKeptError("It is gone.")
            if answer.status != 200:
                raise UpstreamError(f"The provider {place.provider} answered with HTTP {answer.status}.")
            while data := await answer.chunk():
                yield data
        finally:
            answer.close()
