"""What a configuration file asks for. A field that is absent is not mentioned, and is left as it is."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Required, TypedDict


class CredentialSource(TypedDict, total=False):
    """One of these. `sealed` means: the one that is stored already."""

    value: str
    env: str
    file: str
    sealed: bool


class WantedProvider(TypedDict, total=False):
    name: str
    kind: str
    dialect: str
    auth: str
    base_url: str
    options: dict[str, str]
    region: str
    data_classes: list[str]
    internal: bool
    enabled: bool
    credential: CredentialSource | None
    state: Literal["present", "absent"]


class WantedPrice(TypedDict, total=False):
    """Rates in nano-USD per 1M tokens; `effective_from` absent means from now on, unless it is so already.

    `units` and `long` as in `catalog.models.Price`.
    """

    effective_from: datetime
    input: int
    cached_input: int
    cache_write: int
    output: int
    request: int
    units: dict[str, int]
    long: dict[str, Any]
    batch_percent: int
    free: bool
    source: str


class WantedDeployment(TypedDict, total=False):
    """`timeouts`: seconds, by the names of `catalog.actions.deployments.TIMEOUTS`. What is absent is as usual."""

    provider: Required[str]
    model: Required[str]
    weight: Required[int]
    enabled: Required[bool]
    region: str
    data_classes: list[str]
    timeouts: dict[str, int]
    price: list[WantedPrice]


class WantedQuota(TypedDict):
    """`capacity` is nano-USD for `usd`, a count otherwise; `model` and `step_down` are slugs, "" for none."""

    metric: str
    window: str
    capacity: int
    model: str
    step_down: str
    notify: list[int]


class WantedModel(TypedDict, total=False):
    name: str
    description: str
    vendor: str
    capabilities: list[str]
    context_tokens: int
    max_output_tokens: int
    tier: str
    stage: str
    retires_on: date | None
    owner: str
    data_classes: list[str]
    price: list[WantedPrice]
    deployments: list[WantedDeployment]
    route: dict[str, Any]
    quotas: list[WantedQuota]


class WantedPerson(TypedDict, total=False):
    name: str
    roles: list[str]
    quotas: list[WantedQuota]


class WantedApplication(TypedDict, total=False):
    """`name` counts while it is new; `data_class` is "" where each model's tier says."""

    name: str
    data_class: str
    quotas: list[WantedQuota]


class WantedTeam(TypedDict, total=False):
    name: str
    cost_centre: str
    status: str
    leads: list[str]
    members: list[str]
    models: list[str]
    applications: dict[str, WantedApplication]
    quotas: list[WantedQuota]


@dataclass(slots=True)
class Wanted:
    """A whole file."""

    providers: dict[str, WantedProvider] = field(default_factory=dict)
    models: dict[str, WantedModel] = field(default_factory=dict)
    aliases: dict[str, str | None] = field(default_factory=dict)  # name → id of a model; None: taken away
    people: dict[str, WantedPerson] = field(default_factory=dict)
    teams: dict[str, WantedTeam] = field(default_factory=dict)
    organisation_quotas: list[WantedQuota] | None = None
