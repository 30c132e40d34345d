"""Tags that frame a page: icon, breadcrumbs, header, card, callout, empty state, confirm link, live panel."""

from secrets import token_hex
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.home.components.icons import icon

register = template.Library()
register.simple_tag(icon)

CALLOUT_ICONS = {"good": "circle-check", "warn": "alert-triangle", "bad": "alert-octagon", "info": "info-circle"}


@register.simple_tag
def crumbs(*parts: str) -> SafeString:
    """Breadcrumbs from words and addresses in turn; the last word is the page itself."""
    links = [{"words": words, "url": url} for words, url in zip(parts[0:-1:2], parts[1::2], strict=False)]
    return render_to_string("components/crumbs.html", {"links": links, "here": parts[-1] if parts else ""})


@register.simple_block_tag
def page_header(content: str, title: str, lead: str = "", eyebrow: str = "") -> SafeString:
    """The page's only `<h1>`, a sentence about it, and its actions (the content of the block)."""
    return render_to_string(
        "components/page_header.html",
        {"title": title, "lead": lead, "eyebrow": eyebrow, "actions": SafeString(content.strip())},
    )


@register.simple_block_tag
def card(
    content: str, title: str = "", subtitle: str = "", flush: bool = False, id: str = "", level: int = 2
) -> SafeString:
    """A titled surface; `flush` leaves out the inner space, for a table."""
    return render_to_string(
        "components/card.html",
        {"content": content, "title": title, "subtitle": subtitle, "flush": flush, "id": id, "level": level},
    )


@register.simple_block_tag
def callout(content: str, tone: str, title: str = "") -> SafeString:
    """A note that matters here: what, why, what to do."""
    return render_to_string(
        "components/callout.html",
        {
            "content": SafeString(content.strip()),
            "tone": tone,
            "title": title,
            "icon": CALLOUT_ICONS.get(tone, "info-circle"),
        },
    )


@register.simple_block_tag
def empty(content: str, drawing: str, title: str, words: str = "") -> SafeString:
    """An empty state: a drawing, what would be here, and the action that fills it (the content of the block)."""
    return render_to_string(
        "components/empty.html",
        {
            "drawing": f"components/drawings/{drawing}.html",
            "title": title,
            "words": words,
            "action": SafeString(content.strip()),
        },
    )


@register.simple_tag
def drawing(name: str) -> SafeString:
    """One of the drawings, alone."""
    return render_to_string(f"components/drawings/{name}.html")


@register.simple_tag
def hint(words: str, label: str = "What is this?") -> SafeString:
    """An explanation behind a question mark, shown on hover and focus; phrasing content, so it fits into any sentence."""
    return render_to_string("components/hint.html", {"words": words, "label": label, "id": f"hint-{token_hex(4)}"})


@register.simple_tag
def confirm_link(label: str, url: str, icon: str = "", css: str = "btn btn-danger-quiet") -> SafeString:
    """A link to a confirm page, which opens as a dialog where JavaScript runs."""
    return render_to_string("components/confirm_link.html", {"label": label, "url": url, "icon": icon, "css": css})


@register.simple_tag
def loading(words: str = "Loading") -> SafeString:
    """A turning mark that htmx shows while it waits."""
    return format_html(
        '<span class="at-loading htmx-indicator" role="status"><span class="at-spinner"></span> {}…</span>', words
    )


@register.simple_tag(takes_context=True)
def live_panel(context: dict[str, Any], url: str, seen: object, **words: str) -> SafeString:
    """A panel that asks `url` again until `seen` is true, then turns green.

    Words: `title`, `words` while waiting; `seen_title`, `seen_words` afterwards.
    """
    request = context.get("request")
    asked_by_hand = request is not None and request.method == "GET" and not getattr(request, "htmx", False)
    here = request.get_full_path() if request is not None and asked_by_hand else ""
    return render_to_string("components/live_panel.html", {"url": url, "seen": bool(seen), "here": here, **words})
