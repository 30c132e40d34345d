"""The frame of every action: one transaction with the write, its audit row and its place in the change feed."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest

from portal.people.changes import publish
from portal.people.models import AuditEvent, User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door (`portal`, `api`, `command`, `config`, `task`, `sso`, `demo`).

    `name` says who it is where no person is known, such as the user of the operating system at a command.
    """

    source: str
    user: User | None = None
    address: str | None = None
    name: str = "Atrium"

    @property
    def label(self) -> str:
        return self.user.label if self.user else f"{self.name} ({self.source})"


def actor_of(request: HttpRequest, source: str = "portal") -> Actor:
    """Return the actor of a signed-in request."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return Actor(source, request.user, address_of(request))


def address_of(request: HttpRequest) -> str | None:
    """Return the address that a request came from: with TRUST_PROXY_HEADERS, the one that our own proxy saw."""
    seen = request.META.get("REMOTE_ADDR", "")
    if settings.TRUST_PROXY_HEADERS:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", seen).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return None


@dataclass(slots=True)
class Trail:
    """What an action tells about itself while it runs."""

    target: models.Model | None = None
    team_id: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    skipped: bool = False

    def changed(self, kind: str, entity_id: str) -> None:
        """Name an entity that gateways must look at again."""
        self.changes.append((kind, entity_id))

    def skip(self) -> None:
        """Say that nothing was written after all: no audit row, no revision."""
        self.skipped = True


@contextmanager
def recorded(
    actor: Actor, subject_action: str, target: models.Model | None = None, *, team_id: str = ""
) -> Iterator[Trail]:
    """Run an action's writes: atomic, with its audit row and its change-feed rows as the last statements.

    `subject_action` is such as `key:mint`; the source comes from the actor. An exception rolls everything back.
    Set `trail.target` inside when the row is made there. Put no secret into `before` or `after`.
    """
    trail = Trail(target=target, team_id=team_id)
    with transaction.atomic():
        yield trail
        if trail.skipped:
            return
        if trail.target is None:
            raise RuntimeError(f"the action {subject_action} names no target")
        event = AuditEvent.objects.create(
            event=f"{actor.source}:{subject_action}",
            actor_id=actor.user.pk if actor.user else "",
            actor_label=actor.label[:300],
            target_kind=trail.target._meta.model_name or "",
            target_id=str(trail.target.pk),
            target_label=str(trail.target)[:300],
            team_id=trail.team_id,
            before=trail.before,
            after=trail.after,
            address=actor.address,
        )
        if trail.changes:
            AuditEvent.objects.filter(pk=event.pk).update(revision=publish(trail.changes))
