"""Third-party files: every icon that is used is in the list, exists, and is copied; the locks name no host."""

import ast
import re
from collections.abc import Iterator

import pytest

from deploy import assets
from tests.architecture.source import ROOT, python_files, shown, templates, tree_of

pytestmark = pytest.mark.static

TAG = re.compile(r"""\{%\s*icon\s+["']([^"']+)["']""")
ARGUMENT = re.compile(r"""\bicon=["']([^"']+)["']""")
DEFAULT = re.compile(r"""\bicon\|default:["']([^"']+)["']""")
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-node.txt", "package-lock.json")


def used_icons() -> Iterator[tuple[str, str]]:
    """Yield where and which: tags and arguments in templates, `icon=…` and `"icon": …` in code."""
    for path in templates():
        text = path.read_text(encoding="utf-8")
        for pattern in (TAG, ARGUMENT, DEFAULT):
            yield from ((shown(path), name) for name in pattern.findall(text) if "{" not in name)
    for path in python_files("portal", "catalog", "billing"):
        for node in ast.walk(tree_of(path)):
            named: list[tuple[object, ast.expr]] = []
            if isinstance(node, ast.Call):
                named = [(keyword.arg, keyword.value) for keyword in node.keywords]
            elif isinstance(node, ast.Dict):
                named = [
                    (k.value, v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)
                ]
            for key, value in named:
                if key == "icon" and isinstance(value, ast.Constant) and value.value:
                    yield shown(path), str(value.value)


def test_every_icon_used_is_in_the_list() -> None:
    from portal.home.menu import GROUPS

    listed = set(assets.icon_names())
    in_navigation = {("navigation", entry.icon) for group in GROUPS for entry in group.entries}
    missing = {(where, name) for where, name in {*used_icons(), *in_navigation} if name not in listed}
    assert missing == set(), "add them to deploy/icons.txt and run make run once"


def test_assets_are_copied_without_dangling_names() -> None:
    copied = {path.name for path in assets.VENDOR.iterdir()}
    assert set(assets.FILES) <= copied
    for name in assets.icon_names():
        assert (assets.VENDOR / "icons" / f"{name}.svg").is_file(), name
    for name in assets.FILES:
        assert b"sourceMappingURL" not in (assets.VENDOR / name).read_bytes()


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_host_and_carry_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--index-url|--find-links", re.sub(r'"(url|funding)": "[^"]*"', "", text))
    if name.endswith(".txt"):
        pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"==[^\n]*\\\n    --hash=sha256:", text))
    else:
        assert text.count('"integrity"') == len(re.findall(r'^    "node_modules/', text, re.MULTILINE))
