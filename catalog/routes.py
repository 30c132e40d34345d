"""The shape of a route as it is stored, exported and applied: read and checked here alone, and turned into policy.

Everything in it is named as people name it: models and teams by short name, deployments as `provider/name there`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.routing.policy import Canary, Condition, Fallback, Reason, Redirect, RoutePolicy, Rule, Strategy
from gateway.routing.said import LONGEST_KEY, LONGEST_VALUE

MOST_RULES, MOST_FALLBACKS, MOST_RETRIES, MOST_RETRY_S = 50, 10, 10, 3_600
MOST_STEPS = 10
MAX_TOKENS = 100_000_000
Name = Annotated[str, Meta(min_length=1, max_length=300)]
Regions = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=50)]
Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
DataClass = Literal["public", "internal", "confidential", "restricted"]


class Body(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a route. What is as usual is left out when it is written."""


MetadataKey = Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY)]
MetadataValue = Annotated[str, Meta(max_length=LONGEST_VALUE)]


class WhenBody(Body):
    """Holds for a call when all that is said here holds."""

    teams: list[Name] = []
    metadata: dict[MetadataKey, MetadataValue] = {}
    data_classes: list[DataClass] = []
    least_prompt_tokens: Tokens | None = None
    most_prompt_tokens: Tokens | None = None


class RuleBody(Body):
    """Calls for which `when` holds go to these deployments, and to those in these regions, alone. The first that holds counts."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    deployments: Annotated[list[Name], Meta(max_length=50)] = []
    regions: Regions = []
    when: WhenBody = msgspec.field(default_factory=WhenBody)


class CanaryBody(Body):
    """A share of the calls tries a deployment, and stops by itself when too many of them fail."""

    deployment: Name
    percent: Annotated[float, Meta(ge=0, le=100)]
    stop_at_error_rate: Annotated[float, Meta(gt=0, le=1)] = 0.05
    least_calls: Annotated[int, Meta(ge=1, le=1_000_000)] = 20


class FallbackBody(Body):
    """Another model that serves what this one cannot, for these reasons."""

    model: Name
    on: Annotated[list[Reason], Meta(min_length=1)]


class StepBody(Body):
    """From this day on, at midnight UTC, this share of the calls."""

    starts: date = msgspec.field(name="from")
    percent: Annotated[float, Meta(ge=0, le=100)]


class RedirectBody(Body):
    """Another model takes the calls of this one over, step by step."""

    to: Name
    steps: Annotated[list[StepBody], Meta(min_length=1, max_length=MOST_STEPS)]


class RouteBody(Body):
    """The ways of one model."""

    strategy: Strategy = "weighted"
    retries: Annotated[int, Meta(ge=0, le=MOST_RETRIES)] = 2
    retry_within_s: Annotated[int, Meta(ge=1, le=MOST_RETRY_S)] = 240
    regions: Regions = []
    rules: Annotated[list[RuleBody], Meta(max_length=MOST_RULES)] = []
    canary: CanaryBody | None = None
    fallbacks: Annotated[list[FallbackBody], Meta(max_length=MOST_FALLBACKS)] = []
    redirect: RedirectBody | None = None


class BadRoute(ValueError):  # says what is bad, as its readers do
    """A route that cannot be; `mistakes` holds pairs of a path within it and words."""

    def __init__(self, mistakes: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {words}" if path else words for path, words in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in the route of one model stand for: ids by name."""

    deployments: Mapping[str, str]
    models: Mapping[str, str]
    teams: Mapping[str, str]


def read_route(body: Any) -> RouteBody:
    """Read a route. Raises BadRoute."""
    try:
        route = msgspec.convert(body, RouteBody)
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at ")
        raise BadRoute([(path.strip("`").removeprefix("$").removeprefix("."), _plain(words))]) from None
    mistakes = list(_contradictions(route))
    if mistakes:
        raise BadRoute(mistakes)
    return route


def written(route: RouteBody) -> dict[str, Any]:
    """Return a route as plain data; empty for the usual one."""
    found: dict[str, Any] = msgspec.to_builtins(route)
    return found


def strangers(route: RouteBody, names: Names) -> list[tuple[str, str]]:
    """Return what a route names and what is not there, with paths."""
    found = []
    for n, rule in enumerate(route.rules):
        found += [
            (f"rules[{n}].deployments", f'the model has no deployment "{name}"')
            for name in rule.deployments
            if name not in names.deployments
        ]
        found += [
            (f"rules[{n}].when.teams", f'there is no team "{slug}"')
            for slug in rule.when.teams
            if slug not in names.teams
        ]
    if route.canary and route.canary.deployment not in names.deployments:
        found.append(("canary.deployment", f'the model has no deployment "{route.canary.deployment}"'))
    found += [
        (f"fallbacks[{n}].model", f'there is no model "{one.model}"')
        for n, one in enumerate(route.fallbacks)
        if one.model not in names.models
    ]
    if route.redirect is not None and route.redirect.to not in names.models:
        found.append(("redirect.to", f'there is no model "{route.redirect.to}"'))
    return found


def policy_of(route: RouteBody, names: Names, canary_since: float = 0.0) -> RoutePolicy:
    """Return the policy; deployments are in order as `names` has them. `canary_since` is epoch s.

    What a rule names and is gone is left out: a rule without any deployment serves nobody.
    """
    canary = route.canary
    return RoutePolicy(
        strategy=route.strategy,
        order=tuple(names.deployments.values()) if route.strategy == "ordered" else (),
        rules=tuple(
            Rule(
                rule.name,
                _condition(rule.when, names),
                _ids(rule.deployments, names.deployments),
                frozenset(rule.regions),
            )
            for rule in route.rules
        ),
        canary=Canary(
            names.deployments[canary.deployment],
            canary.percent,
            canary.stop_at_error_rate,
            canary.least_calls,
            canary_since,
        )
        if canary and canary.deployment in names.deployments
        else None,
        fallbacks=tuple(
            Fallback(names.models[one.model], frozenset(one.on)) for one in route.fallbacks if one.model in names.models
        ),
        retries=route.retries,
        retry_within_s=float(route.retry_within_s),
        regions=frozenset(route.regions),
        redirect=_redirect(route.redirect, names),
    )


def _redirect(redirect: RedirectBody | None, names: Names) -> Redirect | None:
    if redirect is None or redirect.to not in names.models:
        return None
    steps = ((datetime.combine(step.starts, time(), UTC).timestamp(), step.percent) for step in redirect.steps)
    return Redirect(names.models[redirect.to], tuple(steps))


def _condition(when: WhenBody, names: Names) -> Condition:
    teams = _ids(when.teams, names.teams)
    return Condition(
        team_ids=teams or frozenset({"gone"} if when.teams else ()),  # no team of a rule is left: it holds for none
        metadata=tuple(sorted(when.metadata.items())),
        data_classes=frozenset(when.data_classes),
        least_prompt_tokens=when.least_prompt_tokens,
        most_prompt_tokens=when.most_prompt_tokens,
    )


def _ids(names: list[str], known: Mapping[str, str]) -> frozenset[str]:
    return frozenset(known[name] for name in names if name in known)


def _contradictions(route: RouteBody) -> Iterator[tuple[str, str]]:
    names = [rule.name.strip().lower() for rule in route.rules]
    for n, rule in enumerate(route.rules):
        least, most = rule.when.least_prompt_tokens, rule.when.most_prompt_tokens
        if least is not None and most is not None and least > most:
            yield f"rules[{n}].when", "no prompt has at least that many and at most that few tokens"
        if names.index(names[n]) < n:
            yield f"rules[{n}].name", "another rule has this name"
        if not rule.deployments and not rule.regions:
            yield f"rules[{n}]", "a rule names deployments or regions to go to"
    models = [one.model for one in route.fallbacks]
    for n, model in enumerate(models):
        if models.index(model) < n:
            yield f"fallbacks[{n}].model", "this model is there twice; put all reasons into one line"
    steps = route.redirect.steps if route.redirect is not None else []
    for n, (before, after) in enumerate(pairwise(steps), 1):
        if after.starts <= before.starts:
            yield f"redirect.steps[{n}].from", "each step begins later than the one before it"


_REPLACED = (
    (re.compile(r"Object contains unknown field `(.*)`"), r'"\1" is not a field here'),
    (re.compile(r"Object missing required field `(.*)`"), r'"\1" is missing'),
    (re.compile(r"Expected `(.*)`, got `(.*)`"), r"this is \2, and must be \1"),
    (re.compile(r"Invalid enum value (.*)"), r"\1 is not one of those known here"),
)


def _plain(words: str) -> str:
    """Say msgspec's words as ours, without its marks."""
    for pattern, ours in _REPLACED:
        words = pattern.sub(ours, words)
    return words.replace("`", "").replace("Expected", "this must be")
