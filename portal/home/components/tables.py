"""Tags for lists: table, sort header, pagination, filter bar, search box, date range."""

import datetime
from typing import Any

from django import template
from django.core.paginator import Page
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()
START_OVER: dict[str, None] = {"page": None, "before": None, "after": None}  # a new period begins at its first page


def address(request: HttpRequest | None, **changes: str | int | None) -> str:
    """Return the query of the current address with some parameters changed; None takes one out."""
    query = request.GET.copy() if request is not None else None
    if query is None:
        return ""
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return "?" + query.urlencode()


@register.simple_block_tag
def data_table(content: str, caption: str, id: str = "", show_caption: bool = False, stack: bool = True) -> SafeString:
    """A table with a caption that scrolls inside itself, and becomes a stack on a phone."""
    return render_to_string(
        "components/table.html",
        {"content": content, "caption": caption, "id": id, "show_caption": show_caption, "stack": stack},
    )


@register.simple_tag(takes_context=True)
def sort_header(
    context: dict[str, Any], label: str, key: str, numeric: bool = False, default: str = "", target: str = ""
) -> SafeString:
    """A column head that sorts by `key`: once ascending, again descending."""
    request: HttpRequest | None = context.get("request")
    current = (request.GET.get("sort") if request is not None else "") or default
    state = "ascending" if current == key else "descending" if current == f"-{key}" else "none"
    following = f"-{key}" if state == "ascending" or (numeric and state == "none") else key
    return render_to_string(
        "components/sort_header.html",
        {
            "label": label,
            "numeric": numeric,
            "state": state,
            "url": address(request, sort=following, page=None),
            "target": target,
        },
    )


@register.simple_tag(takes_context=True)
def pagination(context: dict[str, Any], page: Page[Any], target: str = "", parameter: str = "page") -> SafeString:
    """Where one is in a counted list, and the way on; nothing when there is one page."""
    request: HttpRequest | None = context.get("request")
    numbers = [
        {"number": number, "url": address(request, **{parameter: number}) if isinstance(number, int) else ""}
        for number in page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    ]
    return render_to_string(
        "components/pagination.html",
        {
            "page": page,
            "numbers": numbers,
            "target": target,
            "before": address(request, **{parameter: page.number - 1}) if page.has_previous() else "",
            "after": address(request, **{parameter: page.number + 1}) if page.has_next() else "",
        },
    )


@register.simple_tag
def pager(newer: str = "", older: str = "", newer_label: str = "Newer", older_label: str = "Older") -> SafeString:
    """The way on in a list that is not counted."""
    return render_to_string(
        "components/pager.html",
        {"newer": newer, "older": older, "newer_label": newer_label, "older_label": older_label},
    )


@register.simple_block_tag(takes_context=True)
def filter_bar(
    context: dict[str, Any], content: str, target: str = "#results", label: str = "Filters", button: str = "Apply"
) -> SafeString:
    """A GET form over a list; with JavaScript it exchanges `target` as one types."""
    request: HttpRequest | None = context.get("request")
    filtered = (
        any(value for name, value in request.GET.items() if name not in {"page", "sort"})
        if request is not None
        else False
    )
    return render_to_string(
        "components/filter_bar.html",
        {
            "content": content,
            "target": target,
            "label": label,
            "button": button,
            "filtered": filtered,
            "path": request.path if request is not None else "",
            "sort": request.GET.get("sort", "") if request is not None else "",
        },
    )


@register.simple_tag(takes_context=True)
def search_box(context: dict[str, Any], name: str = "q", label: str = "Search", placeholder: str = "") -> SafeString:
    """A search field that keeps what was typed."""
    request: HttpRequest | None = context.get("request")
    value = request.GET.get(name, "") if request is not None else ""
    return render_to_string(
        "components/search_box.html", {"name": name, "label": label, "value": value, "placeholder": placeholder}
    )


@register.simple_tag(takes_context=True)
def date_range(
    context: dict[str, Any],
    name_from: str = "from",
    name_to: str = "to",
    value_from: object = "",
    value_to: object = "",
) -> SafeString:
    """Two date fields and links to the usual periods (UTC)."""
    request: HttpRequest | None = context.get("request")
    today = datetime.datetime.now(datetime.UTC).date()
    month = today.replace(day=1)
    last_month_end = month - datetime.timedelta(days=1)
    periods = [
        ("This month", month, today),
        ("Last month", last_month_end.replace(day=1), last_month_end),
        ("7 days", today - datetime.timedelta(days=6), today),
        ("30 days", today - datetime.timedelta(days=29), today),
    ]
    chosen = (_iso(value_from), _iso(value_to))
    presets = [
        {
            "words": words,
            "url": address(request, **{name_from: start.isoformat(), name_to: end.isoformat()}, **START_OVER),
            "chosen": chosen == (start.isoformat(), end.isoformat()),
        }
        for words, start, end in periods
    ]
    return render_to_string(
        "components/date_range.html",
        {
            "name_from": name_from,
            "name_to": name_to,
            "from": chosen[0],
            "to": chosen[1],
            "presets": presets,
            "today": today.isoformat(),
        },
    )


def _iso(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, datetime.date) else str(value or "")
