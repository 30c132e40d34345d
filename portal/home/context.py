"""What every page knows: the navigation that this person's roles open, who they are, and the colours they chose."""

from dataclasses import replace
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from portal.home.menu import GROUPS, INBOX, Entry, Group
from portal.keys.models import KeyRequest
from portal.people.access import Viewer, current_viewer
from portal.people.permissions import Role

THEMES: Final = frozenset({"light", "dark"})
THEME_COOKIE: Final = "atrium_theme"
ROLE_WORDS: Final = {
    Role.PLATFORM_ADMIN: "Platform admin",
    Role.AUDITOR: "Auditor",
    Role.FINANCE: "Finance",
    Role.LEAD: "Team lead",
    Role.EMPLOYEE: "Employee",
}


def navigation(request: HttpRequest) -> dict[str, object]:
    """Offer `nav_groups`, `viewer_card` and `theme` to templates. Read only where a template asks, so that error pages need no database."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "nav_groups": SimpleLazyObject(lambda: groups_for(request)),
        "viewer_card": SimpleLazyObject(lambda: card_of(request)),
        "theme": theme if theme in THEMES else "",
    }


def groups_for(request: HttpRequest) -> list[Group]:
    """The groups with the entries that this person may open, each at most once."""
    viewer = viewer_or_none(request)
    if viewer is None:
        return []
    shown: set[str] = set()
    groups = []
    for group in GROUPS:
        entries = [placed for entry in group.entries if (placed := place(entry, viewer)) and placed.url not in shown]
        shown.update(entry.url for entry in entries)
        if entries:
            groups.append(Group(group.title, tuple(entries)))
    return marked(groups, request.path, request.get_full_path())


def place(entry: Entry, viewer: Viewer) -> Entry | None:
    """Return the entry with its address and count, or None where it is not for this viewer or its page does not exist."""
    if entry.permissions and not any(viewer.allows(permission) for permission in entry.permissions):
        return None
    if any(viewer.allows(permission) for permission in entry.unless):
        return None
    try:
        url = reverse(entry.url_name) + entry.query
    except NoReverseMatch:
        return None
    count = KeyRequest.objects.decidable_by(viewer).open().count() if entry.url_name == INBOX else 0
    return replace(entry, url=url, count=count)


def marked(groups: list[Group], path: str, full_path: str) -> list[Group]:
    """Mark the entry whose address is the longest beginning of where this person is."""
    home = reverse("home")
    urls = [entry.url for group in groups for entry in group.entries]
    fitting = [
        url for url in urls if url in {path, full_path} or (url != home and path.startswith(url.rstrip("/") + "/"))
    ]
    best = max(fitting, key=len, default="")
    here = "page" if best in {path, full_path} else "true"
    return [
        Group(group.title, tuple(replace(e, here=here) if e.url == best else e for e in group.entries))
        for group in groups
    ]


def card_of(request: HttpRequest) -> dict[str, str]:
    """Name, initials and role of the person who is signed in; empty for strangers."""
    viewer = viewer_or_none(request)
    if viewer is None:
        return {}
    name = str(viewer.user)
    initials = "".join(part[0] for part in name.replace("@", " ").replace(".", " ").split()[:2]).upper()
    role = next(words for role, words in ROLE_WORDS.items() if role in viewer.roles)
    return {"name": name, "initials": initials, "role": role, "sign_out": reverse("account_logout")}


def viewer_or_none(request: HttpRequest) -> Viewer | None:
    if not hasattr(request, "user"):
        return None
    try:
        return current_viewer(request)
    except PermissionDenied:
        return None
