"""The permission that a REST view declares."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.people.access import current_viewer
from portal.people.permissions import SIGNED_IN


class HasDeclaredPermission(BasePermission):
    """The same declaration for the REST API: a view sets `permission = "…"`; without one it refuses everybody."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        permission = getattr(view, "permission", None)
        if permission is None or not request.user.is_authenticated or not request.user.is_active:
            return False
        return permission == SIGNED_IN or current_viewer(request._request).allows(permission)
