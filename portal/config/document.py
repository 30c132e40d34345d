"""YAML text → plain tree. Nothing is guessed: no aliases, no tags, no repeated keys, no dates, no yes/no."""

import re
from typing import Any

import yaml

MAX_CHARS = 20_000_000
MAX_DEPTH = 12
PREFIX = "tag:yaml.org,2002:"


class BadConfig(Exception):  # it is the file that is bad
    """A file that cannot be applied; `mistakes` lists every one found, each with its path and no secret."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Unquoted(str):
    """A decimal number written without quotes, which a float would round; kept as it was typed."""


class _Loader(yaml.CSafeLoader):
    """Knows true/false, whole numbers, decimals and null; everything else is text (`no` is a country here)."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # PyYAML keeps them on the class


for _tag, _pattern, _first in (
    ("bool", r"\A(?:true|false|True|False|TRUE|FALSE)\Z", "tfTF"),
    ("int", r"\A[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
    ("float", r"\A[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|nan))\Z", "-+.0123456789"),
    ("null", r"\A(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
):  # fmt: skip
    _Loader.add_implicit_resolver(PREFIX + _tag, re.compile(_pattern), list(_first))

_RESOLVER = _Loader("")


def is_plain_text(text: str) -> bool:
    """Say whether `text`, written without quotes, is read as text and not as a number, a truth value or null."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag == PREFIX + "str"


def parse(text: str) -> tuple[Any, list[str]]:
    """Return the tree of one YAML document and what is wrong with its form (repeated keys, tags, …).

    Decimals come as `Unquoted`. Raises BadConfig when there is no tree at all.
    """
    if len(text) > MAX_CHARS:
        raise BadConfig([f"the file is longer than {MAX_CHARS:,} characters"])
    try:
        _refuse_aliases(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:  # its text quotes the file, which may hold secrets: say only where and what
        where = error.problem_mark or error.context_mark
        line = f"line {where.line + 1}, column {where.column + 1}: " if where else ""
        raise BadConfig([f"{line}this is not YAML: {error.problem or 'unreadable'}"]) from None
    except (yaml.YAMLError, ValueError):
        raise BadConfig(["this is not YAML: it holds characters that YAML does not allow"]) from None
    except RecursionError:
        raise BadConfig(["the file is nested too deeply"]) from None
    if root is None:
        raise BadConfig(["the file is empty"])
    mistakes: list[str] = []
    return _plain(root, "", mistakes, 0), mistakes


def _refuse_aliases(text: str) -> None:
    """Raises BadConfig at the first anchor or alias: a few lines of them can stand for gigabytes."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadConfig([f"{_line(event)}: anchors and aliases (& and *) are not allowed"])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadConfig([f"{_line(event)}: the file is nested too deeply"])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"


def _plain(node: yaml.Node, path: str, mistakes: list[str], depth: int) -> Any:
    kind = node.tag.removeprefix(PREFIX)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node, path, mistakes, depth)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_plain(item, f"{path}[{n}]", mistakes, depth + 1) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        if kind == "str":
            return node.value
        if kind == "null":
            return None
        if kind == "bool" and node.value.lower() in {"true", "false"}:
            return node.value.lower() == "true"
        if kind == "int" and re.fullmatch(r"[-+]?[0-9]{1,30}", node.value):
            return int(node.value)
        if kind in {"int", "float"}:
            return Unquoted(node.value)
    mistakes.append(f"{path or 'line ' + str(node.start_mark.line + 1)}: tags (!) are not allowed")
    return None


def _mapping(node: yaml.MappingNode, path: str, mistakes: list[str], depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            mistakes.append(f"{path or 'the file'}: line {key.start_mark.line + 1}: a key must be text")
            continue
        name = key.value
        at = f"{path}.{name}" if path else name
        if key.tag != PREFIX + "str":
            mistakes.append(f"{at}: write this key in quotes, so that it is text")
        elif name in tree:
            mistakes.append(f"{at}: this key is there twice (again in line {key.start_mark.line + 1})")
        tree[name] = _plain(value, at, mistakes, depth + 1)
    return tree
