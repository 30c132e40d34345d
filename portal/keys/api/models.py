"""The catalogue over REST, with what the viewer may do."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.access import access_to_all
from catalog.models import Model
from portal.keys.api.shapes import ErrorOut, ModelOut
from portal.keys.api.view import ApiView
from portal.keys.offers import price_words, prices_of


class ModelList(ApiView):
    """The models of the company's catalogue."""

    permission = "models.view"
    serializer_class = ModelOut

    @extend_schema(
        operation_id="models_list",
        summary="List models",
        parameters=[OpenApiParameter("q", str, description="Words in the name, id or description.")],
        responses={200: ModelOut(many=True), 401: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        found = Model.objects.listed().matching(request.query_params.get("q", "").replace("\0", ""))
        page = self.paginate_queryset(found) or []
        prices = {pk: price_words(price) for pk, price in prices_of([model.pk for model in page]).items()}
        context = {"access": access_to_all(self.viewer, page), "prices": prices}
        return self.get_paginated_response(ModelOut(page, many=True, context=context).data)
