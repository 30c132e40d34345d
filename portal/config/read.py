"""YAML text → what is wanted, or every mistake in it with its path. Asks nothing of the database."""

import re
from collections.abc import Callable, Collection
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from catalog.actions.credentials import MAX_SECRET, VARIABLE
from catalog.actions.deployments import MAX_WEIGHT
from catalog.actions.models import MAX_TOKENS, SLUG
from catalog.dialects import dialects
from catalog.models import Model, Provider
from catalog.models.models import CAPABILITIES, DATA_CLASSES
from gateway.credentials.ways import WAYS
from portal.config import routing
from portal.config.document import BadConfig, parse
from portal.config.nodes import Node
from portal.config.prices import read_prices
from portal.config.quotas import read_quotas
from portal.config.wanted import CredentialSource, Wanted
from portal.people.models import GlobalRole, Team

Readers = dict[str, Callable[[Node], Any]]

SIMPLE_SLUG = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z")
SECTIONS = ("version", "providers", "models", "aliases", "people", "teams", "organisation")


def read(text: str) -> tuple[Wanted, list[str]]:
    """Return what a file asks for (with stand-ins for what cannot be read), and every mistake in it.

    Raises BadConfig when there is nothing to read.
    """
    tree, mistakes = parse(text)
    if not isinstance(tree, dict):
        raise BadConfig([*mistakes, "a configuration file begins with: version: 1"])
    top = Node(tree, "", mistakes)
    found = top.fields(SECTIONS)
    version = found.get("version", top.below("version", None))
    if version.value != 1 or isinstance(version.value, bool):
        version.wrong("this must be 1")
    nothing = top.below("", None)
    organisation = _fields(found.get("organisation", nothing), {"quotas": lambda n: read_quotas(n, "organisation")})
    wanted = Wanted(
        providers=_named(found.get("providers", nothing), _slug, PROVIDER),
        models=_named(found.get("models", nothing), _model_slug, MODEL),
        aliases=routing.aliases(found.get("aliases", nothing)),
        people=_named(found.get("people", nothing), _email, PERSON),
        teams=_named(found.get("teams", nothing), _team_slug, TEAM),
        organisation_quotas=organisation.get("quotas"),
    )
    for slug, team in wanted.teams.items():
        both = sorted(set(team.get("leads", [])) & set(team.get("members", [])) - {""})
        mistakes += [f"teams.{slug}.members: {email} is a lead already; list them once" for email in both]
    return wanted, list(dict.fromkeys(mistakes))


def _fields(node: Node, readers: Readers) -> dict[str, Any]:
    return {name: readers[name](below) for name, below in node.fields(readers).items()}


def _named(node: Node, name_of: Callable[[Node], str], readers: Readers) -> Any:
    """Read a mapping of free names to entries that all have the same fields."""
    return {
        name_of(Node(name, below.path, node.mistakes)): _fields(below, readers)
        for name, below in node.entries().items()
    }


def _slug(node: Node) -> str:
    if not SIMPLE_SLUG.match(node.value):
        node.wrong("a name here holds 1 to 64 letters, digits, _ and - only")
    return str(node.value)


def _team_slug(node: Node) -> str:
    slug = _slug(node)
    if SIMPLE_SLUG.match(slug) and slug != slug.lower():
        node.wrong("a team's short name is written in small letters")
    return slug


def _model_slug(node: Node) -> str:
    if not SLUG.match(node.value):
        node.wrong("a model's id holds letters, digits and . _ : @ / + - only, and begins with a letter or digit")
    return str(node.value)


def _email(node: Node) -> str:
    email = node.value.strip() if isinstance(node.value, str) else ""
    try:
        validate_email(email)
    except ValidationError:
        node.wrong(f"{node.quoted()} is no e-mail address")
    return email.lower()


def _each(read_one: Callable[[Node], str]) -> Callable[[Node], list[str]]:
    """Read a list of texts, each there once."""

    def read_list(node: Node) -> list[str]:
        found: list[str] = []
        for item in node.items():
            text = read_one(item)
            if text and text.lower() in {other.lower() for other in found}:
                item.wrong(f"{item.quoted()} is there twice")
            found.append(text)
        return found

    return read_list


def _text(most: int = 200, *, empty: bool = True, lines: bool = False) -> Callable[[Node], str]:
    return lambda node: node.text(most, empty=empty, lines=lines)


def _choice(known: Collection[str]) -> Callable[[Node], str]:
    return lambda node: node.choice(known)


def _credential(node: Node) -> CredentialSource | None:
    """Read one of value, env, file, sealed; null means: none."""
    node.secret = True
    if node.value is None:
        return None
    if not isinstance(node.value, dict):
        node.wrong("this must be one of {env: NAME}, {file: /path}, {value: …}, {sealed: true}")
        return None
    found = _fields(node, CREDENTIAL)
    if len(found) != 1 and len(node.value) != 1:
        node.wrong("give one of env, file, value, sealed")
    return cast(CredentialSource, found)


def _secret(node: Node) -> str:
    text = node.text(MAX_SECRET)
    if text and not text.isascii():
        node.wrong("a secret is one line of plain characters")
    return text


def _variable(node: Node) -> str:
    text = node.text(200)
    if text and not VARIABLE.match(text):
        node.wrong("a variable's name holds letters, digits and _ only, such as OPENAI_API_KEY")
    return text


def _path(node: Node) -> str:
    text = node.text(500)
    if text and not text.startswith("/"):
        node.wrong("give the whole path, such as /run/secrets/openai")
    return text


def _sealed(node: Node) -> bool:
    if not node.flag():
        node.wrong("only true makes sense here")
    return True


def _deployments(node: Node) -> Any:
    found: list[dict[str, Any]] = []
    for item in node.items():
        row = {"weight": 1, "enabled": True} | _fields(item, DEPLOYMENT)
        missing = [name for name in ("provider", "model") if name not in row]
        if missing and isinstance(item.value, dict):
            item.wrong(f"{' and '.join(missing)} missing")
        elif any(
            (row.get("provider"), row.get("model")) == (other.get("provider"), other.get("model")) for other in found
        ):
            item.wrong("this place is there twice")
        found.append(row)
    return found


CREDENTIAL: Readers = {"env": _variable, "file": _path, "value": _secret, "sealed": _sealed}
PROVIDER: Readers = {
    "name": _text(empty=False),
    "kind": _choice(Provider.Kind.values),
    "dialect": lambda node: node.choice(dialects()),
    "auth": lambda node: node.choice(("", *WAYS)),
    "base_url": _text(500, empty=False),
    "options": routing.options,
    "region": _text(64),
    "data_classes": _each(_choice(DATA_CLASSES)),
    "internal": Node.flag,
    "enabled": Node.flag,
    "credential": _credential,
    "state": _choice(("present", "absent")),
}
DEPLOYMENT: Readers = {
    "provider": _text(64, empty=False),
    "model": _text(empty=False),
    "weight": lambda node: node.whole(0, MAX_WEIGHT),
    "enabled": Node.flag,
    "region": _text(64),
    "data_classes": _each(_choice(DATA_CLASSES)),
    "timeouts": routing.timeouts,
    "price": read_prices,
}
MODEL: Readers = {
    "name": _text(empty=False),
    "description": _text(5000, lines=True),
    "vendor": _text(100),
    "capabilities": _each(_choice(CAPABILITIES)),
    "context_tokens": lambda node: node.whole(1, MAX_TOKENS),
    "max_output_tokens": lambda node: node.whole(0, MAX_TOKENS),
    "tier": _choice(Model.Tier.values),
    "stage": _choice(Model.Stage.values),
    "retires_on": lambda node: None if node.value is None else node.day(),
    "owner": _text(),
    "data_classes": _each(_choice(DATA_CLASSES)),
    "price": read_prices,
    "deployments": _deployments,
    "route": routing.route,
    "quotas": lambda node: read_quotas(node, "model"),
}
PERSON: Readers = {
    "name": _text(),
    "roles": _each(_choice(GlobalRole.Role.values)),
    "quotas": lambda node: read_quotas(node, "user"),
}
APPLICATION: Readers = {
    "name": _text(empty=False),
    "data_class": _choice(("", *DATA_CLASSES)),
    "quotas": lambda node: read_quotas(node, "application"),
}
TEAM: Readers = {
    "name": _text(empty=False),
    "cost_centre": _text(64),
    "status": _choice(Team.Status.values),
    "leads": _each(_email),
    "members": _each(_email),
    "models": _each(_text(128, empty=False)),
    "applications": lambda node: _named(node, _team_slug, APPLICATION),
    "quotas": lambda node: read_quotas(node, "team"),
}
