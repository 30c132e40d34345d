"""How the breakers of a provider stand, for its page: asked of Redis, or of the gateway of this very process."""

import asyncio
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from catalog.actions.credentials import CredentialMissing, read_credential
from catalog.models import Provider
from gateway.routing.breaker import State
from gateway.routing.health import Health
from gateway.routing.sharing import credential_name, place_name
from gateway.runtime import Runtime

WORDS = {
    "failing": "too many of its calls failed",
    "unreachable": "it could not be reached",
    "credential": "it refuses the credential",
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one breaker stands: `why` and the moments where it is not closed. `tried_by`: the process that may try it now."""

    state: State = "closed"
    why: str = ""
    since: datetime | None = None
    until: datetime | None = None
    times: int = 0
    tried_by: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands: its credential, and each of its deployments by id. `asked_by`: who asks it for its models."""

    credential: Breaker
    places: Mapping[str, Breaker]
    shared: bool
    asked_by: str = ""

    @property
    def is_out(self) -> bool:
        return any(one.state != "closed" for one in (self.credential, *self.places.values()))


class LocalHealth:
    """The gateway in this process, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None

    def offer(self, runtime: Runtime) -> None:
        """Let pages look at what this gateway knows."""
        with self._lock:
            self._runtime = runtime

    def withdraw(self) -> None:
        with self._lock:
            self._runtime = None

    def read(self, provider_id: str, place_ids: Collection[str]) -> Standing | None:
        """Look from another thread: numbers may be of two moments, which a page bears. None where no gateway is here."""
        with self._lock:
            runtime = self._runtime
        return None if runtime is None else _of_health(runtime.health, runtime, provider_id, place_ids)


local_health = LocalHealth()


def standing_of(provider: Provider) -> Standing | None:
    """Return how a provider stands; None where nobody can say."""
    place_ids = list(provider.deployments.values_list("pk", flat=True))
    if not settings.REDIS_URL:
        return local_health.read(provider.pk, place_ids)
    try:
        credential = credential_name(provider.pk, read_credential(provider))
    except CredentialMissing:
        credential = ""
    return asyncio.run(_on_board(provider.pk, credential, place_ids))


async def _on_board(provider_id: str, credential: str, place_ids: Collection[str]) -> Standing | None:
    from gateway.stores.redis_board import RedisBoard  # needs a Redis client only here

    board = RedisBoard(settings.REDIS_URL)
    names = {place_name(id_): id_ for id_ in place_ids}
    asking = f"probe:{provider_id}"
    try:
        found = await board.read([asking, *(f"try:{name}" for name in (credential, *names))])
    finally:
        await board.aclose()
    if found is None:
        return None
    records, claims = found
    return Standing(
        credential=_of_record(records.get(credential, ""), claims.get(f"try:{credential}", "")),
        places={id_: _of_record(records.get(name, ""), claims.get(f"try:{name}", "")) for name, id_ in names.items()},
        shared=True,
        asked_by=claims.get(asking, ""),
    )


def _of_record(record: str, tried_by: str) -> Breaker:
    """Read what `gateway.routing.sharing` writes of a breaker."""
    changed, until, opened, cause, *since = record.split(" ") if record else ("0", "0", "0", "-")
    if not int(opened):
        return Breaker()
    at = datetime.now(UTC)
    return _breaker(
        cause, int(opened), _moment(float(since[0] if since else changed)), _moment(float(until)), at, tried_by
    )


def _of_health(health: Health, runtime: Runtime, provider_id: str, place_ids: Collection[str]) -> Standing:
    now, at = runtime.clock.monotonic(), datetime.now(UTC)
    places = dict.fromkeys(place_ids, Breaker())
    credential = Breaker()
    for place, breaker in health.out():
        if place.provider_id != provider_id:
            continue
        since, until = (_moment(at.timestamp() + moment - now) for moment in (breaker.since, breaker.until))
        found = _breaker(breaker.cause, breaker.opened, since, until, at, runtime.incarnation)
        if breaker.cause == "credential":
            credential = found
        elif place.id in places:
            places[place.id] = found
    return Standing(credential, places, shared=False)


def _breaker(cause: str, times: int, since: datetime, until: datetime, at: datetime, tried_by: str) -> Breaker:
    state: State = "open" if at < until else "half-open"
    return Breaker(state, WORDS.get(cause, cause), since, until, times, tried_by if state == "half-open" else "")


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
