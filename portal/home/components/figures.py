"""Tags for figures and states: stat card, badge, status, meter, sparkline."""

from collections.abc import Sequence
from decimal import Decimal

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.home.components.icons import icon as draw_icon

register = template.Library()

GOOD, WARN, BAD, INFO, NEUTRAL = "good", "warn", "bad", "info", "neutral"
STATUSES = {
    "active": GOOD, "approved": GOOD, "healthy": GOOD, "available": GOOD, "ok": GOOD, "yours": GOOD, "enabled": GOOD, "done": GOOD,
    "pending": INFO, "open": INFO, "invited": INFO, "requested": INFO, "preview": INFO, "beta": INFO, "narrowed": INFO, "due": WARN,
    "expiring": WARN, "dormant": WARN, "deprecated": WARN, "degraded": WARN, "suspended": WARN, "unpriced": WARN,
    "blocked": BAD, "denied": BAD, "failed": BAD, "error": BAD, "down": BAD,
    "revoked": NEUTRAL, "expired": NEUTRAL, "retired": NEUTRAL, "withdrawn": NEUTRAL, "disabled": NEUTRAL, "ended": NEUTRAL,
    "inactive": NEUTRAL, "unknown": NEUTRAL,
}  # fmt: skip
SPARK_WIDTH, SPARK_HEIGHT = 120, 32


@register.simple_tag
def badge(words: object, tone: str = NEUTRAL, icon: str = "") -> SafeString:
    """A small label; the tone supports the words and never replaces them."""
    mark = draw_icon(icon, size=14) if icon else ""
    return format_html('<span class="at-badge at-tone-{}">{}{}</span>', tone, mark, words)


@register.simple_tag
def status(value: object, words: str = "") -> SafeString:
    """A status pill: a dot in the tone of a known status, and its words."""
    text = str(value)
    spoken = words or text.replace("_", " ").replace("-", " ").capitalize()
    tone = STATUSES.get(text.lower(), NEUTRAL)
    return format_html('<span class="at-status at-tone-{}"><span class="at-dot"></span>{}</span>', tone, spoken)


@register.simple_tag
def stat(label: str, value: object, **options: str) -> SafeString:
    """A figure in a card. Options: `caption`, `delta` with `tone`, `url` to its rows, `icon`, `hint`."""
    return render_to_string("components/stat.html", {"label": label, "value": value, **options})


@register.simple_tag
def meter(used: float | Decimal, limit: float | Decimal | None, label: str) -> SafeString:
    """How much of a limit is used; says so in words too."""
    share = float(used) / float(limit) * 100 if limit else 0.0
    tone = BAD if share >= 100 else WARN if share >= 80 else GOOD
    percent = min(round(share, 1), 100)
    spoken = f"{label}: {share:.0f} % used" if limit else f"{label}: no limit"
    return format_html(
        '<progress class="at-meter at-tone-{}" max="100" value="{}" aria-label="{}"></progress>', tone, percent, spoken
    )


@register.simple_tag
def sparkline(values: Sequence[float], label: str) -> SafeString:
    """A small line without axes, named by `label`; draws nothing for fewer than two values."""
    points = [float(value) for value in values]
    if len(points) < 2:
        return SafeString("")
    top = max(points) or 1.0
    step = SPARK_WIDTH / (len(points) - 1)
    places = [
        (round(i * step, 1), round(SPARK_HEIGHT - 3 - value / top * (SPARK_HEIGHT - 6), 1))
        for i, value in enumerate(points)
    ]
    line = " ".join(f"{x},{y}" for x, y in places)
    return format_html(
        '<svg class="at-spark" viewBox="0 0 {0} {1}" preserveAspectRatio="none" role="img" aria-label="{2}">'
        '<polygon points="0,{1} {3} {0},{1}"/><polyline points="{3}"/></svg>',
        SPARK_WIDTH,
        SPARK_HEIGHT,
        label,
        line,
    )
