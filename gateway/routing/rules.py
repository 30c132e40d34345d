"""Rules of a route: which of its places serve a call."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.routing.policy import Condition, Rule
from gateway.snapshot import DeploymentPolicy


class Facts(msgspec.Struct, frozen=True):
    """What conditions ask of a call. `prompt_tokens` is the prompt's upper bound."""

    team_id: str
    metadata: Mapping[str, str]
    data_class: str
    prompt_tokens: int


def holds(when: Condition, facts: Facts) -> bool:
    """Say whether all that a condition says holds for a call."""
    if when.team_ids and facts.team_id not in when.team_ids:
        return False
    if when.data_classes and facts.data_class not in when.data_classes:
        return False
    if when.least_prompt_tokens is not None and facts.prompt_tokens < when.least_prompt_tokens:
        return False
    if when.most_prompt_tokens is not None and facts.prompt_tokens > when.most_prompt_tokens:
        return False
    return all(facts.metadata.get(key) == value for key, value in when.metadata)


def rule_for(rules: Sequence[Rule], facts: Facts) -> Rule | None:
    """Return the first rule that holds for a call."""
    return next((rule for rule in rules if holds(rule.when, facts)), None)


def serves(rule: Rule, place: DeploymentPolicy) -> bool:
    """Say whether a rule sends calls to a place."""
    return place.id in rule.deployment_ids or (bool(place.region) and place.region in rule.regions)
