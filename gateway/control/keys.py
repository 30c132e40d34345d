"""Finds keys that the ring has not seen: one piece of work on the database thread for all that are looked up at once."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from django.db import DatabaseError
from django.db.models import QuerySet

from gateway.control.compile import epoch, key_quotas
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.snapshot import KeyEntry, QuotaPolicy
from portal.keys.actions.rotation import secret_first_used
from portal.keys.models import Key, KeySecret
from portal.people.audit import Actor
from portal.people.models import Membership, Revision, User

log = logging.getLogger(__name__)

Loaded = tuple[KeyEntry | None, int]

LOOK_UP_WITHIN_S = 2.0  # a database that hangs is a database that is away


class DatabaseKeys:
    """The `KeyLoader` on the database. Look-ups that come while one is under way are made together, as the next."""

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database
        self._waiting: dict[bytes, asyncio.Future[Loaded]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def load(self, digest: bytes) -> Loaded:
        """See `KeyLoader.load`."""
        answer = self._waiting.get(digest)
        if answer is None:
            answer = self._waiting[digest] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(LOOK_UP_WITHIN_S):
                return await asyncio.shield(answer)
        except (DatabaseError, TimeoutError) as error:
            raise StoreUnavailable("the register of keys") from error

    async def _read(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                found, revision = await self._database.run(read_by_digest, list(batch))
            except Exception as error:
                for answer in batch.values():
                    answer.set_exception(error)
                    answer.exception()  # whoever waits gets it; nobody may be waiting any more
            else:
                for digest, answer in batch.items():
                    answer.set_result((found.get(digest), revision))

    def used_pending(self, entry: KeyEntry) -> None:
        """See `KeyLoader.used_pending`."""
        self._database.submit(_logged, secret_first_used, entry.secret_id)


def _logged(action: Callable[..., object], secret_id: str) -> None:
    try:
        action(actor=Actor("gateway"), secret_id=secret_id)
    except Exception:
        log.exception("the first use of secret %s could not be noted; the next use tries again", secret_id)


def read_by_digest(digests: Collection[bytes]) -> tuple[dict[bytes, KeyEntry], int]:
    """Read secrets with their keys, owners and quotas, dead ones too, so that their holders are told what became of them.

    The revision is read first, so that nothing newer is missed.
    """
    revision = Revision.objects.values_list("number", flat=True).get(id=1)
    secrets = _with_keys(KeySecret.objects.filter(digest__in=digests))
    return {bytes(secret.digest): entry for secret, entry in secrets}, revision


def read_entries(secret_ids: Iterable[str]) -> dict[str, KeyEntry]:
    """Read secrets by their ids, as they are now."""
    return {secret.pk: entry for secret, entry in _with_keys(KeySecret.objects.filter(pk__in=secret_ids))}


def _with_keys(rows: "QuerySet[KeySecret]") -> list[tuple[KeySecret, KeyEntry]]:
    secrets = list(rows.select_related("key__owner", "key__application").prefetch_related("key__key_models"))
    keys = [secret.key for secret in secrets]
    quotas = key_quotas({key.pk for key in keys})
    members = set(
        Membership.objects.filter(
            user_id__in={key.owner_id for key in keys}, team_id__in={key.team_id for key in keys}
        ).values_list("user_id", "team_id")
    )
    return [(secret, _entry(secret, members, quotas.get(secret.key_id, ()))) for secret in secrets]


def _entry(secret: KeySecret, members: set[tuple[str, str]], quotas: tuple[QuotaPolicy, ...]) -> KeyEntry:
    key, owner = secret.key, secret.key.owner
    return KeyEntry(
        key_id=key.pk,
        secret_id=secret.pk,
        name=key.name,
        display=secret.display,
        kind=key.kind,
        owner_id=owner.pk,
        owner_active=_may_act(key, owner, members),
        team_id=key.team_id,
        application_id=key.application_id,
        model_ids=None if key.all_models else frozenset(link.model_id for link in key.key_models.all()),
        status=key.status,
        blocked_reason=key.blocked_reason,
        expires_at=epoch(key.expires_at),
        secret_valid_until=0.0 if secret.status == KeySecret.Status.DEAD else epoch(secret.valid_until),
        secret_pending=secret.status == KeySecret.Status.PENDING,
        quotas=quotas,
        data_floor=key.data_class or (key.application.data_class if key.application is not None else ""),
    )


def _may_act(key: Key, owner: User, members: set[tuple[str, str]]) -> bool:
    """A personal key dies with its person's place in the team; a service key does not."""
    if key.kind == Key.Kind.SERVICE:
        return True
    return owner.status != User.Status.BLOCKED and (owner.pk, key.team_id) in members
