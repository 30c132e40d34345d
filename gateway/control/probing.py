"""Asks providers that are out whether they answer again: a list of models, never a paid call, and from one process only."""

import asyncio
import logging

from catalog.models import Provider
from catalog.probe import Finding, try_provider
from gateway.control.database import DatabaseThread
from gateway.routing.sharing import Board
from gateway.runtime import Runtime
from gateway.snapshot import DeploymentPolicy

log = logging.getLogger(__name__)

LOOK_S = 5.0
ASKED_EVERY_S = 15.0


class Prober:
    """Looks for providers that are out, and asks each four times a minute. `run` is a task."""

    def __init__(self, runtime: Runtime, board: Board, database: DatabaseThread) -> None:
        """`database` is a thread of its own: a provider may take seconds to answer."""
        self._runtime, self._board, self._database = runtime, board, database
        self._asked: dict[str, float] = {}  # provider → monotonic

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.once()
            except Exception as error:  # a defect over one provider must not end this for all
                log.warning("providers that are out are not asked: %s", type(error).__name__)

    async def once(self) -> None:
        """Ask every provider that is out, if it is time."""
        out = {place.provider_id: place for place, _ in self._runtime.health.out()}
        self._asked = {id_: at for id_, at in self._asked.items() if id_ in out}
        for place in out.values():
            now = self._runtime.clock.monotonic()
            if now - self._asked.get(place.provider_id, -ASKED_EVERY_S) >= ASKED_EVERY_S:
                self._asked[place.provider_id] = now
                await self._ask(place)

    async def _ask(self, place: DeploymentPolicy) -> None:
        if not await self._board.claim(f"probe:{place.provider_id}", ASKED_EVERY_S * 0.9):
            return
        finding = await self._database.run(_finding, place.provider_id)
        if finding is not None and finding.works:
            log.warning("the provider %s answers again", place.provider)
            self._runtime.health.answered(place, self._runtime.clock.monotonic())


def _finding(provider_id: str) -> Finding | None:
    provider = Provider.objects.filter(pk=provider_id, enabled=True).first()
    return try_provider(provider) if provider is not None else None
