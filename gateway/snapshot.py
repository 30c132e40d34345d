"""What the gateway knows: frozen policies compiled from the tables, and the entries of the key ring.

`gateway.control.compile` makes these; the request path only reads them. A snapshot is replaced by one assignment,
and a request reads the reference once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.routing.policy import DEFAULT_ROUTE, Alias, RoutePolicy
from gateway.units import UNITS

if TYPE_CHECKING:
    from gateway.quotas.baskets import Plan
    from gateway.routing.bounds import Bounds
    from gateway.stages.permits import Permit
    from gateway.types import Principal

Metric = Literal["requests", "input_tokens", "output_tokens", "total_tokens", "usd", "concurrent"]
Window = Literal["second", "minute", "hour", "day", "week", "month", "quarter", "total"]
ScopeKind = Literal["organisation", "team", "user", "application", "key", "model"]

UNSET = 1 << 62  # "no deadline", as epoch seconds


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a model from `effective_from` on (epoch s). Rates are nano-USD per 1,000,000 tokens; `request` is nano-USD per call.

    `cached_input` and `cache_write` fall back to `input`. `cached_input` tokens are part of the prompt's tokens
    (OpenAI's convention); they are priced apart, not twice. `free` says that zero is meant. `units`: rates of
    `gateway.units.UNITS`, by name, per 1,000,000. `long`: the rates of a call whose prompt is longer than some.
    `batch`: what a call costs within a batch, in percent of all that.
    """

    id: str
    effective_from: float
    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    request: int = 0
    free: bool = False
    units: Mapping[str, int] | None = field(default=None, hash=False)
    long: "LongRates | None" = None
    batch: int = 50

    @property
    def by_tokens(self) -> bool:
        """Say whether tokens of any kind cost something."""
        return bool(self.input or self.output) or any(UNITS[name].part_of for name in self.units or () if name in UNITS)


@dataclass(frozen=True, slots=True)
class LongRates:
    """What the whole of a call costs whose prompt has more than `above` tokens; as in `Price` otherwise.

    `units` stand for those of the price, all of them; None: they cost the same.
    """

    above: int
    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    units: Mapping[str, int] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class DeploymentPolicy:
    """One place where a model is served. `credential` is the provider's secret in the clear: never printed, never logged."""

    id: str
    provider_id: str
    provider: str  # slug
    dialect: str  # "openai"
    base_url: str  # no trailing slash, such as https://api.openai.com/v1
    upstream_model: str
    weight: int = 1
    region: str = ""
    internal: bool = False  # private address ranges are allowed only here
    credential: str = field(default="", repr=False)
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 120.0
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 600.0
    max_connections: int = 1_000
    auth: str = ""  # how the provider wants to know who calls, where it is not its dialect's usual way
    options: Mapping[str, str] = field(
        default_factory=dict, hash=False
    )  # of its dialect: api_version, project, location, …
    data_classes: frozenset[str] | None = None  # what it may be sent; None: anything that the model may
    prices: tuple[Price, ...] = ()  # instead of the model's, once one is in force; sorted by `effective_from`


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """A model as clients name it. `prices` is sorted by `effective_from`; none in force means unpriced: refused."""

    id: str
    slug: str
    display_name: str
    capabilities: frozenset[str]  # "chat", "tools", "vision", "structured", "reasoning", "embeddings", …
    context_tokens: int
    max_output_tokens: int
    tier: str  # "sandbox", "production", "high-risk"
    stage: str  # "preview", "approved", "deprecated", "retired"
    retires_at: float  # epoch s, UNSET if never
    created_at: float
    owned_by: str
    deployments: tuple[DeploymentPolicy, ...]
    prices: tuple[Price, ...]
    route: RoutePolicy = DEFAULT_ROUTE
    data_classes: frozenset[str] | None = None  # what it may be sent; None: not said


@dataclass(frozen=True, slots=True)
class ModelGrant:
    """An approved exception: a model for a team, one of its people or one key, until a moment."""

    model_id: str
    until: float
    user_id: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class TeamPolicy:
    """What a team may use. A blocked team's keys are refused with 403."""

    id: str
    slug: str
    name: str
    active: bool
    model_ids: frozenset[str]
    grants: tuple[ModelGrant, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotaExtra:
    """An approved addition to a quota, valid between two moments (epoch s)."""

    amount: int
    starts: float
    until: float


@dataclass(frozen=True, slots=True)
class QuotaPolicy:
    """scope × metric × window × capacity. `capacity` is nano-USD for `usd`, a count otherwise."""

    id: str
    scope_kind: ScopeKind
    scope_id: str
    metric: Metric
    window: Window
    capacity: int
    extras: tuple[QuotaExtra, ...] = ()
    model_id: str | None = None  # a pair: the scope counts only what it does with this model
    step_down_model_id: str | None = None  # where calls go once this is used up; None: they are refused

    def capacity_at(self, now: float) -> int:
        """Return the capacity in force at `now` (epoch s), approved extras included."""
        if not self.extras:
            return self.capacity
        return self.capacity + sum(e.amount for e in self.extras if e.starts <= now < e.until)


Plans = dict[tuple[str, str], tuple["KeyEntry", "Plan"]]  # by (key, model)
Permits = dict[tuple[str, str, str, str, "Bounds"], "Permit"]  # by (key, model as named, dialect, kind, bounds)
Principals = dict[str, tuple["Principal", float]]  # by secret: who it lets in, before then (epoch s)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything but keys, under one version (the revision of the change feed it was compiled at)."""

    version: int
    models: Mapping[str, ModelPolicy]  # by id
    models_by_slug: Mapping[str, ModelPolicy]
    teams: Mapping[str, TeamPolicy]  # by id
    quotas: Mapping[tuple[str, str], tuple[QuotaPolicy, ...]]  # by (scope kind, scope id)
    organisation_id: str
    portal_url: str  # no trailing slash
    billing_time_zone: str  # IANA name; calendar windows of money begin at its midnight
    stops: Mapping[tuple[str, str], str] = field(default_factory=dict)  # kill switch: (kind, id) → reason
    aliases: Mapping[str, Alias] = field(default_factory=dict)  # by slug
    # What is derived from all this again and again, by those who do: it goes with the snapshot.
    plans: "Plans" = field(default_factory=dict, init=False, compare=False, repr=False)
    permits: "Permits" = field(default_factory=dict, init=False, compare=False, repr=False)
    principals: "Principals" = field(default_factory=dict, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as the ring holds it, for one secret. Status and deadlines are checked at every use."""

    key_id: str
    secret_id: str
    name: str
    display: str  # "atp_…a1b2", safe to show
    kind: str  # "personal", "service", "temporary"
    owner_id: str
    owner_active: bool  # the owner may still act for the team (person active, still a member)
    team_id: str
    application_id: str | None
    model_ids: frozenset[str] | None  # None: all that the team may use
    status: str  # "active", "blocked", "revoked"
    blocked_reason: str
    expires_at: float  # epoch s
    secret_valid_until: float  # epoch s, UNSET while the secret is current
    secret_pending: bool  # a rotated secret that was never used: first use is reported
    quotas: tuple[QuotaPolicy, ...] = ()  # of the key itself; the snapshot holds those of all other scopes
    data_floor: str = ""  # its calls' data is of this class at least; "": the model's tier says


class KeyLoader(Protocol):
    """Where the ring finds a key it has not seen: one database read."""

    async def load(self, digest: bytes) -> tuple[KeyEntry | None, int]:
        """Return the entry (None: unknown) and the feed revision that the read saw.

        Raises `gateway.errors.StoreUnavailable` when the database cannot be asked.
        """
        ...

    def used_pending(self, entry: KeyEntry) -> None:
        """Report the first use of a pending secret; returns at once, never raises."""
        ...
