"""Ends calls under way that would not be let in any more: stopped, revoked, blocked, or at a disabled provider."""

import contextlib
from collections.abc import Iterable

from django.db import DatabaseError

from catalog.models import Provider
from gateway.control.database import DatabaseThread
from gateway.control.keys import read_entries
from gateway.errors import CredentialError, GatewayError, PolicyError, UnavailableError
from gateway.runtime import Runtime
from gateway.snapshot import KeyEntry
from gateway.stages.authenticate import admitted
from gateway.stops import error_for
from gateway.types import Call

Name = tuple[str, str]  # (kind, id) as the feed has it


class Cutter:
    """Looks at the calls in flight after each look at the feed. What cannot be looked at now is looked at next time."""

    def __init__(self, runtime: Runtime, database: DatabaseThread) -> None:
        self._runtime, self._database = runtime, database
        self._named: set[Name] = set()  # by the feed, and not looked at yet
        self._before: set[Name] = set()  # looked at once; a call that was being let in may have slipped through
        self._everybody = False

    def note(self, changes: Iterable[Name], everybody: bool) -> None:
        """Take in what the feed named; `everybody`: it may have named anything."""
        self._named.update(changes)
        self._everybody = self._everybody or everybody

    async def cut(self) -> None:
        """End what must end. While the database is away, what it has to be asked about waits for the next time."""
        snapshot = self._runtime.snapshot
        if snapshot is not None and snapshot.stops:
            for call in self._under_way():
                _end(call, error_for(call, snapshot))
        named, everybody = self._named | self._before, self._everybody
        if named or everybody:
            with contextlib.suppress(DatabaseError):  # said by whoever reads the feed
                await self._cut_keys(named, everybody)
                await self._cut_providers(named, everybody)
                self._before, self._named, self._everybody = self._named, set(), False

    def _under_way(self) -> list[Call]:
        """The calls that were let in and are not ending already."""
        calls = self._runtime.in_flight.values()
        return [call for call in calls if call.principal is not None and call.error is None]

    async def _cut_keys(self, named: set[Name], everybody: bool) -> None:
        doubted = [
            (call, call.principal.key)
            for call in self._under_way()
            if call.principal is not None and (everybody or _names(call.principal.key) & named)
        ]
        if doubted:
            found = await self._database.run(read_entries, {key.secret_id for _, key in doubted})
            for call, key in doubted:
                _end(call, self._refusal(found.get(key.secret_id)))

    async def _cut_providers(self, named: set[Name], everybody: bool) -> None:
        dialled = [(call, call.attempt.deployment) for call in self._under_way() if call.attempt is not None]
        asked = {place.provider_id for _, place in dialled if everybody or ("provider", place.provider_id) in named}
        if asked:
            enabled = await self._database.run(enabled_providers, asked)
            for call, place in dialled:
                if place.provider_id in asked - enabled:
                    _end(call, _disabled(place.provider))

    def _refusal(self, entry: KeyEntry | None) -> GatewayError | None:
        """Return why a call with this key would be refused now."""
        if entry is None:
            return CredentialError("The API key of this call was deleted.", code="revoked_key")
        snapshot = self._runtime.snapshot
        if snapshot is None:
            return None
        try:
            admitted(entry, snapshot, self._runtime.clock.now())
        except (CredentialError, PolicyError) as error:
            return error
        return None


def enabled_providers(ids: Iterable[str]) -> set[str]:
    """Return those of `ids` that are in use."""
    return set(Provider.objects.filter(pk__in=ids, enabled=True).values_list("pk", flat=True))


def _names(key: KeyEntry) -> set[Name]:
    return {("key", key.key_id), ("user", key.owner_id), ("team", key.team_id)}


def _end(call: Call, error: GatewayError | None) -> None:
    if error is not None and call.error is None:
        call.watch.end(error)


def _disabled(provider: str) -> UnavailableError:
    error = UnavailableError(
        f"The provider {provider} was switched off while it answered. Choose another model, or ask your platform team.",
        code="model_unavailable",
    )
    error.retry = False
    return error
