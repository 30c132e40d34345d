"""The chart tag: a canvas that draws the table beside it."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def chart(source: str, label: str, kind: str = "bar", stacked: bool = False, unit: str = "count") -> SafeString:
    """Draw the table with the id `source`; nothing shows without JavaScript, the table says it all."""
    return render_to_string(
        "components/chart.html",
        {"source": source.removeprefix("#"), "label": label, "kind": kind, "stacked": stacked, "unit": unit},
    )
