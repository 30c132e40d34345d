"""The permission that a REST view declares."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.people.access import current_viewer
from portal.people.permissions import EVERY_PERMISSION, SIGNED_IN, refusal_words

if TYPE_CHECKING:  # REST's views load this very module through the settings
    from rest_framework.views import APIView


class HasDeclaredPermission(BasePermission):
    """The same declaration for the REST API: a view sets `permission = "…"`; without one it refuses everybody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        permission = getattr(view, "permission", None)
        if permission is None or not request.user.is_authenticated or not request.user.is_active:
            return False
        self.message = refusal_words(permission) if permission in EVERY_PERMISSION else ""
        return permission == SIGNED_IN or current_viewer(request._request).allows(permission)
