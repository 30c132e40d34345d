"""Who may import whom: each layer only what stands below it, wherever in a file the import is written."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import module_of, python_files, tree_of

pytestmark = pytest.mark.static

# Lowest first; the longest matching name tells the layer of a module.
LAYERS = ("gateway", "portal.people", "catalog", "billing", "portal.keys", "gateway.control", "portal")
OURS = {"gateway", "portal", "catalog", "billing"}
NOT_IN_PURE_GATEWAY = {"django", "celery", "rest_framework", "allauth", "tests", "deploy"}


def layer_of(module: str) -> int:
    """Return the index in LAYERS."""
    matching = [name for name in LAYERS if module == name or module.startswith(f"{name}.")]
    return LAYERS.index(max(matching, key=len))


def imports_of(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything imported; `from a import b` yields `a.b`, as b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level + 1] if is_package and node.level > 1 else module.split(".")
                above = above if is_package else module.split(".")[: -node.level]
                base = ".".join([*above, base]).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def breaches(tree: ast.Module, module: str, *, is_package: bool = False) -> list[str]:
    """Return what the module imports against the rule."""
    found = []
    for line, name in imports_of(tree, module, is_package=is_package):
        root = name.split(".")[0]
        if root in OURS and layer_of(name) > layer_of(module):
            found.append(
                f"line {line}: {module} ({LAYERS[layer_of(module)]}) imports {name} ({LAYERS[layer_of(name)]})"
            )
        if layer_of(module) == 0 and root in NOT_IN_PURE_GATEWAY:
            found.append(f"line {line}: {module} imports {name}; the gateway runs without it")
        if root in {"tests", "deploy"}:
            found.append(f"line {line}: {module} imports {name}, which is not part of the product")
    return found


def test_everything_imports_only_what_stands_below() -> None:
    files = python_files()
    assert len(files) > 50
    assert [
        one for path in files for one in breaches(tree_of(path), module_of(path), is_package=path.name == "__init__.py")
    ] == []


@pytest.mark.parametrize(
    ("module", "line", "allowed"),
    [
        ("gateway.pipeline", "import gateway.errors", True),
        ("gateway.pipeline", "from gateway import control", False),
        ("gateway.pipeline", "from django.db import models", False),
        ("gateway.pipeline", "def f():\n    from billing.models import Quota", False),
        ("gateway.control.compile", "from django.db import models", True),
        ("gateway.control.compile", "from portal.keys.models import Key", True),
        ("portal.keys.views", "from gateway.control import publish", False),
        ("portal.people.models", "from catalog.models import Model", False),
        ("billing.models", "from portal.people.models import Team", True),
        ("catalog.models", "from portal import settings", False),
        ("portal.people.views", "from ..home import views", False),
        ("portal.home.views", "from gateway.control import publish", True),
    ],
)
def test_the_rule_itself(module: str, line: str, allowed: bool) -> None:
    assert (breaches(ast.parse(line), module) == []) is allowed
