"""The database as a configuration file that `apply` takes without a change."""

from typing import Any

import yaml

from portal.config.document import is_plain_text
from portal.config.quotas import quota_entry
from portal.config.state import Tree, state

HEAD = "# What Atrium is configured to do. Secrets stored in the database are not in here: {sealed: true} leaves them as they are.\n"


class Flow(dict[str, Any]):
    """A mapping that is written on one line."""


class FlowList(list[Any]):
    """A list that is written on one line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # apply refuses them

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote what apply would read as a number; what YAML itself would mistake is quoted anyway."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain_text(text) else "'")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, True))
_Dumper.add_representer(FlowList, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, True))


def export() -> str:
    """Return the whole configuration as YAML."""
    tree = state()
    file: Tree = {"version": 1}
    quotas = _quotas(tree["organisation"]["quotas"])
    if quotas:
        file["organisation"] = {"quotas": quotas}
    sections: dict[str, Any] = {
        "providers": _provider, "models": _model, "aliases": lambda entry: entry["model"], "people": _person, "teams": _team,
    }  # fmt: skip
    for name, shape in sections.items():
        if tree[name]:
            file[name] = {key: shape(entry) for key, entry in tree[name].items()}
    return HEAD + yaml.dump(file, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=150)


def _provider(entry: Tree) -> Tree:
    if "credential" in entry:
        ((source, reference),) = entry["credential"].items()
        entry["credential"] = Flow({source: True if source == "sealed" else reference})
    entry["options"], entry["data_classes"] = Flow(entry["options"]), FlowList(entry["data_classes"])
    return _without_empty(entry)


def _model(entry: Tree) -> Tree:
    prices, price = entry.pop("prices"), entry.pop("price")
    entry.pop("order")  # that of the list
    for name in ("capabilities", "data_classes"):
        entry[name] = FlowList(entry[name])
    shown = _without_empty(entry) | {"max_output_tokens": entry["max_output_tokens"]}
    places, quotas, route = shown.pop("deployments", {}), shown.pop("quotas", {}), shown.pop("route", {})
    if len(prices) == 1 and price:
        shown["price"] = Flow(price)
    elif prices:
        shown["price"] = [Flow({"effective_from": moment} | rates) for moment, rates in prices.items()]
    if places:
        shown["deployments"] = [_place(name, row) for name, row in places.items()]
    if route:
        shown["route"] = route
    return shown | ({"quotas": _quotas(quotas)} if quotas else {})


def _place(name: str, row: Tree) -> Flow:
    provider, _, upstream = name.partition(" ")
    said = {field: value for field, value in row.items() if field != "enabled"}
    return Flow({"provider": provider, "model": upstream} | said | ({} if row["enabled"] else {"enabled": False}))


def _person(entry: Tree) -> Tree:
    shown: Tree = {"name": entry["name"]} if entry["name"] else {}
    if entry["roles"]:
        shown["roles"] = FlowList(entry["roles"])
    return shown | ({"quotas": _quotas(entry["quotas"])} if entry["quotas"] else {})


def _team(entry: Tree) -> Tree:
    shown: Tree = {"name": entry["name"], "status": entry["status"]}
    if entry["cost_centre"]:
        shown["cost_centre"] = entry["cost_centre"]
    for name, role in (("leads", "lead"), ("members", "member")):
        shown[name] = FlowList(email for email, held in entry["members"].items() if held == role)
    if entry["applications"]:
        shown["applications"] = {slug: _application(one) for slug, one in entry["applications"].items()}
    return shown | {"models": FlowList(entry["models"]), "quotas": _quotas(entry["quotas"])}


def _application(entry: Tree) -> Flow:
    return Flow(entry | ({"quotas": _quotas(entry["quotas"])} if "quotas" in entry else {}))


def _quotas(entry: Tree) -> list[Flow]:
    return [Flow(quota_entry(name, value)) for name, value in entry.items()]


def _without_empty(entry: Tree) -> Tree:
    return {
        name: value
        for name, value in entry.items()
        if (value not in ("", None, [], {}) and value is not False) or name == "enabled"
    }
