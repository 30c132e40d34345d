"""What an administrator decided about the ways of a model, compiled. Pure data: `gateway.snapshot` holds one per model."""

from dataclasses import dataclass
from typing import Literal

Strategy = Literal["weighted", "ordered", "least_latency", "least_busy", "cheapest", "sticky"]
Reason = Literal["error", "rate_limit", "context_window", "content_policy", "budget", "unavailable"]

DATA_CLASSES = ("public", "internal", "confidential", "restricted")  # in rising order of care


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for a call when all that is said here holds; what is empty or None says nothing."""

    team_ids: frozenset[str] = frozenset()
    metadata: tuple[tuple[str, str], ...] = ()  # pairs that the call must carry
    data_classes: frozenset[str] = frozenset()
    least_prompt_tokens: int | None = None  # of the prompt's bound
    most_prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls for which `when` holds go to these deployments, and to those in these regions, alone. The first that holds counts."""

    name: str
    when: Condition
    deployment_ids: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Canary:
    """A share of the calls tries a deployment, and stops by itself when too many of them fail.

    Only an administrator starts it again: another `since` (or any other change of it) counts anew.
    """

    deployment_id: str
    percent: float  # 0 to 100
    stop_at_error_rate: float = 0.05  # share of failed calls
    least_calls: int = 20  # before the rate means anything
    since: float = 0.0  # epoch s; when it was started


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another model, by id, that serves calls that this one cannot, for these reasons. It is authorised like any other."""

    model_id: str
    on: frozenset[str]  # of Reason


@dataclass(frozen=True, slots=True)
class Redirect:
    """Calls of a model that is to go are sent to another one, by id, in steps: (epoch s, percent from then on), in order."""

    model_id: str
    steps: tuple[tuple[float, float], ...]

    def percent_at(self, now: float) -> float:
        """Return the share of the calls that goes to the other model, 0 to 100."""
        return next((percent for starts, percent in reversed(self.steps) if starts <= now), 0.0)


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """The ways of one model. `regions`: hard; a call, its fallbacks included, never leaves them (empty: anywhere)."""

    strategy: Strategy = "weighted"
    order: tuple[str, ...] = ()  # ids of deployments, for "ordered"; those that are not named come last, heaviest first
    rules: tuple[Rule, ...] = ()
    canary: Canary | None = None
    fallbacks: tuple[Fallback, ...] = ()
    retries: int = 2  # further attempts on the same model, after the first
    retry_within_s: float = 240.0  # no further attempt, and no fallback, begins later than this after the call
    regions: frozenset[str] = frozenset()
    redirect: Redirect | None = None


DEFAULT_ROUTE = RoutePolicy()


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points to a model, now."""

    slug: str
    model_id: str
    since: float  # epoch s
