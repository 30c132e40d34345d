"""Every route of a URL configuration, with the permission it declares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver

from portal.people.api.permission import HasDeclaredPermission
from portal.people.permissions import EVERY_PERMISSION, PUBLIC, SIGNED_IN

# Routes whose view is not ours and cannot declare anything, each with the reason why it needs no permission.
EXPLAINED: dict[str, str] = {}


@dataclass(frozen=True)
class Route:
    """One address: its name, its path as written, the names in it, and what its view declares (None: nothing)."""

    name: str
    path: str
    kwargs: tuple[str, ...]
    permission: str | None
    reversible: str

    @property
    def key(self) -> str:
        return self.name or self.path


def routes_of(
    patterns: Iterable[URLPattern | URLResolver], prefix: str = "", space: str = "", kwargs: tuple[str, ...] = ()
) -> Iterator[Route]:
    """Yield every route below `patterns`."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        names = (*kwargs, *getattr(pattern.pattern, "converters", {}), *pattern.pattern.regex.groupindex)
        names = tuple(dict.fromkeys(names))
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from routes_of(pattern.url_patterns, path, inner, names)
        else:
            name = pattern.name or ""
            yield Route(name, path, names, declared_by(pattern.callback), f"{space}{name}")


def declared_by(view: Any) -> str | None:
    """Return the permission that a view declares and that is enforced: by `requires`, or for REST by HasDeclaredPermission."""
    rest = getattr(view, "cls", None)
    permission = getattr(rest, "permission", None) if rest is not None else getattr(view, "permission", None)
    if permission not in EVERY_PERMISSION | {PUBLIC, SIGNED_IN}:
        return None
    if rest is not None and HasDeclaredPermission not in getattr(view, "initkwargs", {}).get(
        "permission_classes", rest.permission_classes
    ):
        return None
    return permission


def undeclared(patterns: Iterable[URLPattern | URLResolver]) -> list[str]:
    """Return the routes that declare nothing and are not explained."""
    return [
        f"{route.path} ({route.name or 'no name'})"
        for route in routes_of(patterns)
        if route.permission is None and route.key not in EXPLAINED
    ]
