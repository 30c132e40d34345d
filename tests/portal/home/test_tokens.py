"""Colours: every pair of words and ground can be read, in both themes (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.static

CSS = Path(__file__).resolve().parents[3] / "static" / "css"
TOKEN = re.compile(r"(--at-[a-z0-9-]+):\s*(?:light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)|(#[0-9a-f]{6}));")
GROUNDS = ("stone", "court", "surface", "sunken", "raised")
TONES = ("good", "warn", "bad", "info")

WORDS = (
    [(ink, ground) for ink in ("ink", "ink-2", "ink-3") for ground in GROUNDS]
    + [(ink, ground) for ink in ("accent", "accent-strong") for ground in (*GROUNDS, "accent-soft")]
    + [(tone, ground) for tone in TONES for ground in (*GROUNDS, f"{tone}-soft")]
    + [(ink, f"{tone}-soft") for ink in ("ink", "ink-2") for tone in (*TONES, "neutral", "sun", "accent")]
    + [("on-accent", "accent-fill"), ("on-accent", "accent-fill-hover"), ("on-bad", "bad-fill"), ("on-sun", "sun")]
    + [(ink, ground) for ink in ("night-ink", "night-ink-2") for ground in ("night", "night-2")]
)
EDGES = [(edge, ground) for edge in ("line-strong", "focus") for ground in GROUNDS]


def tokens(theme: int) -> dict[str, str]:
    text = (CSS / "tokens.css").read_text("utf-8")
    return {name.removeprefix("--at-"): plain or pair[theme] for name, *pair, plain in TOKEN.findall(text)}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_can_be_read(theme: int) -> None:
    colours = tokens(theme)
    weak = {f"{a} on {b}": round(ratio, 2) for a, b in WORDS if (ratio := contrast(colours[a], colours[b])) < 4.5}
    assert weak == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_edges_of_inputs_and_the_focus_ring_can_be_seen(theme: int) -> None:
    colours = tokens(theme)
    weak = {f"{a} on {b}": round(ratio, 2) for a, b in EDGES if (ratio := contrast(colours[a], colours[b])) < 3}
    assert weak == {}


def test_only_tokens_choose_colours() -> None:
    """Outside tokens.css a colour is a token; rgb() with an alpha is a shade over whatever is there."""
    for sheet in CSS.glob("*.css"):
        if sheet.name != "tokens.css":
            values = re.findall(r":([^;{}]*);", sheet.read_text("utf-8"))
            assert [value for value in values if re.search(r"#[0-9a-fA-F]{3,8}\b", value)] == [], sheet.name


def test_every_token_that_is_used_exists() -> None:
    defined = set(re.findall(r"(--at-[a-z0-9-]+):", (CSS / "tokens.css").read_text("utf-8")))
    for sheet in CSS.glob("*.css"):
        assert set(re.findall(r"var\((--at-[a-z0-9-]+)", sheet.read_text("utf-8"))) <= defined, sheet.name
