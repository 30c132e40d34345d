"""The shape of the source: files of one noun, said in one line; nothing inline in a page; no loose ends."""

import ast
import re

import pytest

from tests.architecture.source import ROOT, python_files, shown, templates, tree_of

pytestmark = pytest.mark.static

NOT_A_NOUN = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"}
MOST_LINES = 400
EVERYTHING = [*python_files(), *python_files("tests", "deploy")]
OWN_SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js")) + sorted((ROOT / "static" / "css").glob("*.css"))
# Spelt apart, so that this file does not find itself.
LOOSE_ENDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
INLINE = {
    "a script without src": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "a style attribute": re.compile(r"\sstyle\s*=\s*[\"']", re.IGNORECASE),
    "an event attribute": re.compile(r"<[a-z][^>]*\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "an hx-on attribute": re.compile(r"\shx-on[:=-]", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
}


def test_files_are_short_and_named_by_a_noun() -> None:
    assert [shown(path) for path in EVERYTHING if NOT_A_NOUN & {path.stem, path.parent.name}] == []
    lengths = {shown(path): path.read_text(encoding="utf-8").count("\n") for path in EVERYTHING}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_modules_say_their_duty() -> None:
    silent = [shown(path) for path in EVERYTHING if has_code(tree_of(path)) and not ast.get_docstring(tree_of(path))]
    assert silent == []


def has_code(tree: ast.Module) -> bool:
    """Say whether there is more than imports."""
    return any(not isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)


def test_no_loose_ends() -> None:
    files = [*EVERYTHING, *templates(), *OWN_SCRIPTS]
    assert [shown(path) for path in files if LOOSE_ENDS.search(path.read_text(encoding="utf-8"))] == []


def test_templates_hold_no_inline_code() -> None:
    texts = {shown(path): path.read_text(encoding="utf-8") for path in templates()}
    found = {(path, what) for path, text in texts.items() for what, pattern in INLINE.items() if pattern.search(text)}
    assert found == set()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<script>x()</script>", "a script without src"),
        ('<p style="color: red">', "a style attribute"),
        ('<button type="button" onclick="x()">', "an event attribute"),
        ('<a href="javascript:x()">', "a javascript: address"),
    ],
)
def test_the_patterns_themselves(text: str, what: str) -> None:
    assert INLINE[what].search(text)
