"""Finds a key that the ring has not seen: one piece of work on the database thread."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from django.db import DatabaseError

from gateway.control.compile import epoch, key_quotas
from gateway.control.database import DatabaseThread
from gateway.errors import StoreUnavailable
from gateway.snapshot import KeyEntry
from portal.keys.actions.rotation import secret_first_used
from portal.keys.models import Key, KeySecret
from portal.people.audit import Actor
from portal.people.models import Membership, Revision, User

log = logging.getLogger(__name__)

LOOK_UP_WITHIN_S = 2.0  # a database that hangs is a database that is away


class DatabaseKeys:
    """The `KeyLoader` on the database."""

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database

    async def load(self, digest: bytes) -> tuple[KeyEntry | None, int]:
        """See `KeyLoader.load`."""
        try:
            async with asyncio.timeout(LOOK_UP_WITHIN_S):
                return await self._database.run(read_entry, digest)
        except (DatabaseError, TimeoutError) as error:
            raise StoreUnavailable("the register of keys") from error

    def used_pending(self, entry: KeyEntry) -> None:
        """See `KeyLoader.used_pending`."""
        self._database.submit(_logged, secret_first_used, entry.secret_id)


def _logged(action: Callable[..., object], secret_id: str) -> None:
    try:
        action(actor=Actor("gateway"), secret_id=secret_id)
    except Exception:
        log.exception("the first use of secret %s could not be noted; the next use tries again", secret_id)


def read_entry(digest: bytes) -> tuple[KeyEntry | None, int]:
    """Read one secret with its key, owner and quotas, a dead one too, so that its holder is told what became of it.

    The revision is read first, so that nothing newer is missed.
    """
    revision = Revision.objects.values_list("number", flat=True).get(id=1)
    secret = (
        KeySecret.objects.filter(digest=digest).select_related("key__owner").prefetch_related("key__key_models").first()
    )
    return (_entry(secret) if secret else None), revision


def read_entries(secret_ids: Iterable[str]) -> dict[str, KeyEntry]:
    """Read secrets by their ids, as they are now."""
    secrets = KeySecret.objects.filter(pk__in=secret_ids).select_related("key__owner")
    return {secret.pk: _entry(secret) for secret in secrets.prefetch_related("key__key_models")}


def _entry(secret: KeySecret) -> KeyEntry:
    key, owner = secret.key, secret.key.owner
    return KeyEntry(
        key_id=key.pk,
        secret_id=secret.pk,
        name=key.name,
        display=secret.display,
        kind=key.kind,
        owner_id=owner.pk,
        owner_active=_may_act(key, owner),
        team_id=key.team_id,
        application_id=key.application_id,
        model_ids=None if key.all_models else frozenset(link.model_id for link in key.key_models.all()),
        status=key.status,
        blocked_reason=key.blocked_reason,
        expires_at=epoch(key.expires_at),
        secret_valid_until=0.0 if secret.status == KeySecret.Status.DEAD else epoch(secret.valid_until),
        secret_pending=secret.status == KeySecret.Status.PENDING,
        quotas=key_quotas(key.pk),
    )


def _may_act(key: Key, owner: User) -> bool:
    """A personal key dies with its person's place in the team; a service key does not."""
    if key.kind == Key.Kind.SERVICE:
        return True
    return owner.status != User.Status.BLOCKED and Membership.objects.filter(user=owner, team_id=key.team_id).exists()
