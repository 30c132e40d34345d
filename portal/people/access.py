"""How the table of permissions reaches views: every view declares what it asks, and the viewer is computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from portal.people.models import Membership, User
from portal.people.permissions import EVERY_PERMISSION, PUBLIC, SIGNED_IN, Role, granted, refusal_words

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person with everything needed to decide what they may see and do."""

    user: User
    roles: frozenset[Role]
    permissions: frozenset[str]
    team_ids: frozenset[str]
    led_team_ids: frozenset[str]

    def allows(self, permission: str) -> bool:
        """Say whether any role of this person carries `permission` (for a lead: in some team)."""
        return permission in self.permissions

    def leads(self, team_id: str) -> bool:
        return team_id in self.led_team_ids

    def belongs_to(self, team_id: str) -> bool:
        return team_id in self.team_ids


def viewer_of(user: User) -> Viewer:
    """Read a person's memberships and roles (two queries)."""
    memberships = list(Membership.objects.filter(user=user).values_list("team_id", "role"))
    roles = {Role.EMPLOYEE} | {Role(r) for r in user.global_roles.values_list("role", flat=True)}
    led = frozenset(team for team, role in memberships if role == Membership.Role.LEAD)
    if led:
        roles.add(Role.LEAD)
    frozen = frozenset(roles)
    return Viewer(user, frozen, granted(frozen), frozenset(team for team, _ in memberships), led)


def current_viewer(request: HttpRequest) -> Viewer:
    """Return the viewer of this request; computed once. Raises PermissionDenied for strangers and blocked people."""
    kept = getattr(request, "atrium_viewer", None)
    if kept is not None:
        return cast(Viewer, kept)
    if not request.user.is_authenticated or not request.user.is_active:
        raise PermissionDenied("Sign in first.")
    viewer = viewer_of(request.user)
    request.atrium_viewer = viewer  # type: ignore[attr-defined]  # kept for the life of the request
    return viewer


def requires(permission: str) -> Callable[[View], View]:
    """Declare what a view asks: `PUBLIC`, `SIGNED_IN` or a permission of the table. Strangers are sent to sign in."""
    if permission not in EVERY_PERMISSION | {PUBLIC, SIGNED_IN}:
        raise ValueError(f"no role carries the permission {permission!r}")

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if permission == PUBLIC:
                return view(request, *args, **kwargs)
            if not request.user.is_authenticated or not request.user.is_active:
                return redirect_to_login(request.get_full_path())
            if permission != SIGNED_IN and not current_viewer(request).allows(permission):
                raise PermissionDenied(refusal_words(permission))
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]  # read by the test that walks the URL configuration
        return guarded

    return declare
