"""Tags for code: block with copy button, tabs of snippets, a secret shown once."""

from collections.abc import Sequence
from hashlib import blake2s
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


def id_for(*parts: str) -> str:
    """A short id that is the same for the same text."""
    return "c" + blake2s("\0".join(parts).encode(), digest_size=5).hexdigest()


@register.simple_tag
def code(text: str, label: str = "", id: str = "", copy: bool = True) -> SafeString:
    """A block of code that can be copied whole."""
    return render_to_string(
        "components/code.html", {"text": text, "label": label, "id": id or id_for(label, text), "copy": copy}
    )


@register.simple_tag
def snippet_tabs(snippets: Sequence[dict[str, Any]], legend: str = "Choose a tool", id: str = "") -> SafeString:
    """Snippets behind tabs that are radio buttons, so that they work without JavaScript."""
    group = id or id_for(legend, *(str(snippet["key"]) for snippet in snippets))
    return render_to_string("components/snippet_tabs.html", {"snippets": snippets, "legend": legend, "group": group})


@register.simple_tag
def secret(value: str, label: str = "Secret", id: str = "secret") -> SafeString:
    """A value that is shown this one time."""
    return render_to_string("components/secret.html", {"value": value, "label": label, "id": id})


@register.simple_tag
def copy_button(target: str, label: str = "Copy") -> SafeString:
    """A button that copies the text of the element `target`; hidden until JavaScript is there to do it."""
    return render_to_string("components/copy_button.html", {"target": target, "label": label})
