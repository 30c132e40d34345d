"""Two trees → what changed between them, in lines for people."""

from typing import Any

import yaml

from portal.config.state import Tree

HIDDEN = "sealed"  # holds a fingerprint in the tree; people see {sealed: true}


def differences(before: Tree, after: Tree) -> list[str]:
    """Return a line for each change (`+` created, `~` changed, `-` removed), below a created thing also its fields."""
    lines: list[str] = []
    for section in after:
        for name in sorted(before[section].keys() | after[section].keys()):
            old, new = before[section].get(name), after[section].get(name)
            path = f"{section}.{name}"
            if section == "organisation":
                lines += _nested(old, new, path)
            elif old is None:
                lines += [f"+ {path}", *(f"    {field}: {_flow(field, value)}" for field, value in _told(new))]
            elif new is None:
                lines.append(f"- {path}")
            else:
                lines += _fields(old, new, path)
    return lines


def _fields(old: Tree, new: Tree, path: str) -> list[str]:
    lines: list[str] = []
    for field in dict.fromkeys([*old, *new]):
        if field == "prices":
            lines += _prices(old, new, path)
        elif old.get(field) != new.get(field):
            lines += _one(field, old.get(field), new.get(field), f"{path}.{field}")
    return lines


def _one(field: str, old: Any, new: Any, path: str) -> list[str]:
    if field == "credential":
        said = _flow(field, old), _flow(field, new)
        return [f"~ {path}: {'a new secret' if said[0] == said[1] else ' → '.join(said)}"]
    if field == "price":
        return _nested(old or {}, new or {}, path)
    if isinstance(old, dict) and isinstance(new, dict):
        return _nested(old, new, path)
    return [f"~ {path}: {_flow(field, old)} → {_flow(field, new)}"]


def _nested(old: Tree, new: Tree, path: str) -> list[str]:
    """Compare two mappings of names to values, such as the members or the limits of a team."""
    lines: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        at = f"{path}.{name}"
        if name not in old:
            lines.append(f"+ {at}" + ("" if new[name] is True else f": {_flow(name, new[name])}"))
        elif name not in new:
            lines.append(f"- {at}" + ("" if old[name] is True else f" (was {_flow(name, old[name])})"))
        elif old[name] != new[name]:
            lines.append(f"~ {at}: {_flow(name, old[name])} → {_flow(name, new[name])}")
    return lines


def _prices(old: Tree, new: Tree, path: str) -> list[str]:
    """Tell added prices but the one that came into force now, which `price` tells."""
    added = [moment for moment in new["prices"] if moment not in old["prices"]]
    if old["price"] != new["price"]:
        added = [moment for moment in added if new["prices"][moment] != new["price"]]
    return [f"+ {path}.price from {moment}: {_flow('price', new['prices'][moment])}" for moment in added]


def _told(tree: Tree) -> list[tuple[str, Any]]:
    """Return the fields of a created thing that are worth a line."""
    return [
        (field, value) for field, value in tree.items() if value not in ("", None, {}, [], False) and field != "prices"
    ]


def _flow(field: str, value: Any) -> str:
    """Write a value on one line, secrets left out."""
    if field == "credential":
        value = {name: True if name == HIDDEN else text for name, text in (value or {}).items()} or None
    if isinstance(value, dict) and value and all(inner is True for inner in value.values()) and field != "credential":
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
