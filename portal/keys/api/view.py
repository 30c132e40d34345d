"""What every view of the REST API is: a declared permission, pages of a bounded size, never cached."""

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from portal.people.access import Viewer, current_viewer
from portal.people.audit import Actor, actor_of


class Pages(LimitOffsetPagination):
    """`?limit=` up to 200 and `?offset=`."""

    default_limit = 50
    max_limit = 200

    def get_offset(self, request: Request) -> int:
        return min(super().get_offset(request), 2**62)  # beyond it, databases fail instead of finding nothing


class ApiView(GenericAPIView[Any]):
    """A view of the API. `permission` names what it asks; what is not the viewer's is 404."""

    permission: str
    pagination_class = Pages

    @property
    def viewer(self) -> Viewer:
        return current_viewer(self.request._request)

    @property
    def actor(self) -> Actor:
        return actor_of(self.request._request, "api")

    def checked(self, request: Request) -> dict[str, Any]:
        """Return the body as its serializer reads it. Raises ValidationError."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store, private"
        return answer
