"""What people are told of each wire format that the gateway speaks: its name, what it needs, how it is tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from gateway.dialects.registry import PROVIDERS

FILE = Path(__file__).resolve().parent / "data" / "dialects.yaml"
MOST_CHARACTERS = 300  # of an option


@dataclass(frozen=True, slots=True)
class Option:
    """Something that a dialect needs of a provider beside address and secret."""

    name: str
    label: str
    help: str = ""
    needed: bool = False
    choices: Sequence[str] = ()  # what it may be; none: any line


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that costs nothing: `GET address + path`, answered with a list under `list`."""

    path: str
    list: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialect:
    """A wire format, in words. `json`: its secret may have several lines. `trial` is None where nothing is free."""

    name: str
    label: str
    address: str
    secret: str
    json: bool = False
    options: tuple[Option, ...] = ()
    trial: Trial | None = None


@cache
def dialects() -> dict[str, Dialect]:
    """Return the dialects that this gateway speaks, by name."""
    with FILE.open(encoding="utf-8") as file:
        known: dict[str, dict[str, Any]] = yaml.safe_load(file)
    return {name: _dialect(name, fields) for name, fields in known.items() if name in PROVIDERS}


def mistakes_of(dialect: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a provider's options, by `options.name`."""
    known = {option.name: option for option in dialects()[dialect].options}
    found: dict[str, str] = {}
    for name, text in options.items():
        if name not in known:
            also = ", ".join(known) or "none"
            found[f"options.{name}"] = f"There is no such option of {dialects()[dialect].label}; known are: {also}."
        elif not isinstance(text, str) or not text.isprintable() or len(text) > MOST_CHARACTERS:
            found[f"options.{name}"] = f"This is one line of at most {MOST_CHARACTERS} characters."
        elif text and known[name].choices and text not in known[name].choices:
            found[f"options.{name}"] = f"This is one of {', '.join(known[name].choices)}."
    for name, option in known.items():
        if option.needed and not options.get(name):
            found[f"options.{name}"] = f"{dialects()[dialect].label} needs it. {option.help}"
    return found


def _dialect(name: str, facts: dict[str, Any]) -> Dialect:
    options = tuple(Option(name=option, **told) for option, told in facts.get("options", {}).items())
    trial = Trial(**facts["try"]) if "try" in facts else None
    return Dialect(name, facts["label"], facts["address"], facts["secret"], facts.get("json", False), options, trial)
