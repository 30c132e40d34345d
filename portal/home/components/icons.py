"""Icons as inline SVG, read once from the vendor copy of Tabler's set."""

import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NAME = re.compile(r"[a-z0-9-]+\Z")
SHAPES = re.compile(r"<(?:path|circle|rect|line|polyline|polygon|ellipse)\b[^>]*?/>")
MISSING = '<rect x="5" y="5" width="14" height="14" rx="2"/>'


@cache
def shapes(name: str) -> SafeString:
    """Return the drawing inside an icon's SVG; a plain square where the vendor copy lacks it, so that a page never fails for an icon."""
    found = finders.find(f"vendor/icons/{name}.svg") if NAME.match(name) else None
    drawing = "".join(SHAPES.findall(Path(found).read_text("utf-8"))) if isinstance(found, str) else MISSING
    return mark_safe(drawing)  # noqa: S308 -- only shape elements of our own static files pass the pattern


def icon(name: str, label: str = "", size: int = 20) -> SafeString:
    """Draw an icon: hidden from assistive technology beside words, an image with a name when `label` is given."""
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="at-icon" width="{0}" height="{0}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" focusable="false" {1}>{2}</svg>',
        size,
        spoken,
        shapes(name),
    )
