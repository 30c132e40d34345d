"""What a file says of routes, aliases, options and time limits: read, and written again."""

from typing import Any

from catalog.actions.deployments import MAX_TIMEOUT_S, TIMEOUTS
from catalog.actions.models import SLUG
from catalog.dialects import MOST_CHARACTERS
from catalog.models import Deployment, Price
from catalog.routes import BadRoute, read_route, written
from portal.config.document import Unquoted
from portal.config.nodes import Node

SHORT = {name.removesuffix("_timeout_s"): name for name in TIMEOUTS}  # as a file names them


def route(node: Node) -> dict[str, Any]:
    """Read a route; null is the usual one."""
    try:
        return written(read_route({} if node.value is None else _numbers(node.value)))
    except BadRoute as bad:
        for path, words in bad.mistakes:
            (node.below(path, None) if path and not path.startswith("[") else node).wrong(words)
        return {}


def aliases(node: Node) -> dict[str, str | None]:
    """Read name → id of a model; null takes the name away."""
    found: dict[str, str | None] = {}
    for name, below in node.entries().items():
        if not SLUG.match(name):
            below.wrong("an alias holds letters, digits and . _ : @ / + - only, and begins with a letter or digit")
        found[name] = None if below.value is None else below.text(128)
    return found


def options(node: Node) -> dict[str, str]:
    """Read name → text; which names there are is the dialect's to say."""
    return {name: below.text(MOST_CHARACTERS, empty=True) for name, below in node.entries().items()}


def timeouts(node: Node) -> dict[str, int]:
    """Read time limits in seconds, by the names that a deployment has for them."""
    return {SHORT[name]: below.whole(1, MAX_TIMEOUT_S) for name, below in node.fields(SHORT).items()}


def special(row: Deployment) -> dict[str, Any]:
    """Return what is said of a deployment beside its weight, as a file says it."""
    limits = {short: getattr(row, name) for short, name in SHORT.items() if getattr(row, name) is not None}
    said = {"region": row.region, "data_classes": list(row.data_classes), "timeouts": limits}
    return {name: value for name, value in said.items() if value}


def names_of_aliases(rows: Any) -> dict[str, dict[str, str]]:
    """Return alias → model, as a tree."""
    return {slug: {"model": model} for slug, model in rows.order_by("slug").values_list("slug", "model__slug")}


def of_deployments(rows: list[Price]) -> dict[str, list[Price]]:
    """Sort prices, which are in order of time, by deployment; "" has those of the model."""
    found: dict[str, list[Price]] = {"": []}
    for row in rows:
        found.setdefault(row.deployment_id, []).append(row)
    return found


def _numbers(value: Any) -> Any:
    """Return a tree with its decimals as numbers: no money is among them."""
    if isinstance(value, dict):
        return {name: _numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    if isinstance(value, Unquoted):
        try:
            return float(value)
        except ValueError:
            return str(value)
    return value
