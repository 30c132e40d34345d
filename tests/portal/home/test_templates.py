"""Templates: nothing that the content security policy refuses, and no drawing that is not there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.static

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
ALL = sorted(TEMPLATES.rglob("*.html"))
REFUSED = {
    "style attribute": re.compile(r"<[^>]*\sstyle\s*="),
    "style element": re.compile(r"<style\b"),
    "inline script": re.compile(r"<script(?![^>]*\bsrc=)[^>]*>"),
    "event attribute": re.compile(r"<[^>]*\son[a-z]+\s*="),
    "script address": re.compile(r"=\s*[\"']?javascript:"),
    "hx-on": re.compile(r"\shx-on[:-]"),
    "foreign address": re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_no_template_holds_what_the_policy_refuses(what: str) -> None:
    assert [str(path.relative_to(TEMPLATES)) for path in ALL if REFUSED[what].search(path.read_text("utf-8"))] == []


def test_every_drawing_named_exists() -> None:
    named = {
        name
        for path in ALL
        for name in re.findall(r"""\{%\s*(?:empty|drawing)\s+["']([a-z]+)["']""", path.read_text("utf-8"))
    }
    assert named
    assert named <= {path.stem for path in (TEMPLATES / "components" / "drawings").glob("*.html")}
