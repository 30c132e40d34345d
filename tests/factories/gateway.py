"""A world for the gateway without a database: policies, keys and sinks in memory."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway import keyformat
from gateway.journal.frames import JournalError
from gateway.journal.records import Closed, Opened, Record
from gateway.routing.policy import RoutePolicy
from gateway.snapshot import (
    UNSET,
    DeploymentPolicy,
    KeyEntry,
    ModelPolicy,
    Price,
    QuotaPolicy,
    Snapshot,
    TeamPolicy,
)
from gateway.types import CallLine

PEPPER = b"pepper of the tests"
PORTAL = "https://atrium.test"
CREDENTIAL = "sk-provider-credential-0123456789"
PRICE = Price("price_1", 0.0, input=150_000_000, output=600_000_000, cached_input=75_000_000)  # 0.15 / 0.60 USD per 1M


def deployment(base_url: str, **changes: Any) -> DeploymentPolicy:
    """Return a deployment at `base_url`, which is on this machine."""
    return replace(
        DeploymentPolicy(
            id="dep_1",
            provider_id="prov_1",
            provider="acme",
            dialect="openai",
            base_url=base_url,
            upstream_model="gpt-4o-mini",
            internal=True,
            credential=CREDENTIAL,
        ),
        **changes,
    )


def model(slug: str, *deployments: DeploymentPolicy, **changes: Any) -> ModelPolicy:
    """Return a chat model; its id is `mod_` and the slug."""
    return replace(
        ModelPolicy(
            id=f"mod_{slug}",
            slug=slug,
            display_name=slug.title(),
            capabilities=frozenset({"chat", "tools", "vision"}),
            context_tokens=128_000,
            max_output_tokens=4_096,
            tier="sandbox",
            stage="approved",
            retires_at=UNSET,
            created_at=1_700_000_000.0,
            owned_by="acme",
            deployments=deployments,
            prices=(PRICE,),
            route=RoutePolicy(retries=0),  # an attempt that fails is looked at on its own
        ),
        **changes,
    )


def team(models: Iterable[ModelPolicy], **changes: Any) -> TeamPolicy:
    """Return a team that may use `models`."""
    ids = frozenset(policy.id for policy in models)
    return replace(TeamPolicy("team_1", "search", "Search", active=True, model_ids=ids), **changes)


def quota(metric: str, window: str, capacity: int, scope: tuple[str, str] = ("team", "team_1")) -> QuotaPolicy:
    """Return a quota; its id tells what it is."""
    return QuotaPolicy(f"quota_{scope[0]}_{metric}_{window}", *scope, metric, window, capacity)  # type: ignore[arg-type]


def snapshot(
    models: Iterable[ModelPolicy], teams: Iterable[TeamPolicy], quotas: Iterable[QuotaPolicy] = (), version: int = 7
) -> Snapshot:
    """Return a snapshot of these policies."""
    by_scope: dict[tuple[str, str], tuple[QuotaPolicy, ...]] = {}
    for policy in quotas:
        scope = policy.scope_kind, policy.scope_id
        by_scope[scope] = (*by_scope.get(scope, ()), policy)
    models = tuple(models)
    return Snapshot(
        version=version,
        models={policy.id: policy for policy in models},
        models_by_slug={policy.slug: policy for policy in models},
        teams={policy.id: policy for policy in teams},
        quotas=by_scope,
        organisation_id="org_1",
        portal_url=PORTAL,
        billing_time_zone="UTC",
    )


def key_entry(key_id: str = "key_1", **changes: Any) -> KeyEntry:
    """Return an active personal key of team_1, valid for an hour."""
    return replace(
        KeyEntry(
            key_id=key_id,
            secret_id=f"sec_{key_id}",
            name="ci",
            display="atp_…a1b2",
            kind="personal",
            owner_id="user_1",
            owner_active=True,
            team_id="team_1",
            application_id=None,
            model_ids=None,
            status="active",
            blocked_reason="",
            expires_at=time.time() + 3600,
            secret_valid_until=UNSET,
            secret_pending=False,
        ),
        **changes,
    )


class MemoryKeys:
    """A `KeyLoader` over a dictionary. `loads` counts look-ups, `used` holds reported first uses."""

    def __init__(self) -> None:
        self.entries: dict[bytes, KeyEntry] = {}
        self.revision = 7
        self.loads = 0
        self.used: list[str] = []
        self.failure: Exception | None = None

    def add(self, entry: KeyEntry, secret: str | None = None) -> str:
        """Register a key, and return its secret."""
        secret = secret or keyformat.generate(entry.kind)
        self.entries[keyformat.digest(secret, PEPPER)] = entry
        return secret

    async def load(self, digest: bytes) -> tuple[KeyEntry | None, int]:
        """See `KeyLoader`."""
        self.loads += 1
        if self.failure is not None:
            raise self.failure
        return self.entries.get(digest), self.revision

    def used_pending(self, entry: KeyEntry) -> None:
        """See `KeyLoader`."""
        self.used.append(entry.secret_id)


class MemoryJournal:
    """A journal that is a list; `broken` makes appending fail, `slow` makes what is opened wait for `waiting`."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.broken = False
        self.slow = False
        self.waiting: list[asyncio.Future[None]] = []

    def append(self, *records: Record) -> asyncio.Future[None] | None:
        """See `Journal`."""
        if self.broken:
            raise JournalError("No space left on device.")
        self.records.extend(records)
        if not self.slow or not isinstance(records[0], Opened):
            return None
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    @property
    def opened(self) -> list[Opened]:
        """What was dialled."""
        return [record for record in self.records if isinstance(record, Opened)]

    @property
    def closed(self) -> list[Closed]:
        """How it ended."""
        return [record for record in self.records if isinstance(record, Closed)]


@dataclass
class Observed:
    """An observer that keeps everything."""

    lines: list[CallLine] = field(default_factory=list)
    alarms: list[tuple[str, str]] = field(default_factory=list)

    def call_ended(self, line: CallLine) -> None:
        """See `Observer`."""
        self.lines.append(line)

    def alarm(self, code: str, subject: str) -> None:
        """See `Observer`."""
        self.alarms.append((code, subject))
